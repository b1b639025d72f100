// node ioredis.js SENTINEL-PORT…: writes w:1, w:2, … to the master that the Sentinels name, one line for each that
// was acknowledged, until it is ended.
'use strict';
const Redis = require('ioredis');

async function main() {
    const client = new Redis({
        sentinels: process.argv.slice(2).map((port) => ({ host: '127.0.0.1', port: Number(port) })),
        name: 'mymaster',
        sentinelRetryStrategy: () => 50,
        retryStrategy: () => 50,
        failoverDetector: true,
    });
    client.on('error', () => {});
    for (let number = 1; ; number++) {
        try {
            await client.set(`w:${number}`, number);
            process.stdout.write(`${number}\n`);
        } catch (error) {
            process.stderr.write(`${error}\n`);
        }
    }
}

main();
