// node node_redis.js SENTINEL-PORT…: writes w:1, w:2, … to the master that the Sentinels name, one line for each that
// was acknowledged, until it is ended.
'use strict';
const { createSentinel } = require('redis');

async function main() {
    const client = createSentinel({
        name: 'mymaster',
        sentinelRootNodes: process.argv.slice(2).map((port) => ({ host: '127.0.0.1', port: Number(port) })),
    });
    client.on('error', () => {});
    await client.connect();
    for (let number = 1; ; number++) {
        try {
            await client.set(`w:${number}`, String(number));
            process.stdout.write(`${number}\n`);
        } catch (error) {
            process.stderr.write(`${error}\n`);
            await new Promise((resolve) => setTimeout(resolve, 10));
        }
    }
}

main();
