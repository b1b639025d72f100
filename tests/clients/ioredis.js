// node ioredis.js LEADER-PORT PORT…: plain against the leader, then in cluster mode against all.
'use strict';
const assert = require('assert');
const Redis = require('ioredis');

async function strings(client) {
    assert.strictEqual(await client.set('a', '1'), 'OK');
    assert.strictEqual(await client.get('a'), '1');
    assert.strictEqual(await client.incr('a'), 2);
    assert.strictEqual(await client.get('nothing'), null);
    assert.strictEqual(await client.set('a', '9', 'EX', 100, 'XX'), 'OK');
    assert.ok((await client.ttl('a')) > 98);
    assert.strictEqual(await client.del('a'), 1);
    await assert.rejects(client.call('NOPE'), /unknown command/);
}

async function plain(port) {
    const client = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: 2 });
    await client.flushall();
    await strings(client);
    assert.deepStrictEqual(await client.mget('x', 'y'), [null, null]);
    const pipelined = await client.pipeline().set('p', 1).incr('p').get('p').exec();
    assert.deepStrictEqual(pipelined, [[null, 'OK'], [null, 2], [null, '2']]);
    const transaction = await client.multi().set('t', 1).incr('t').exec();
    assert.deepStrictEqual(transaction, [[null, 'OK'], [null, 2]]);
    const keys = [];
    for await (const some of client.scanStream({ match: '?' })) keys.push(...some);
    assert.deepStrictEqual(keys.sort(), ['p', 't']);
    await client.quit();
}

async function clustered(ports) {
    const client = new Redis.Cluster(ports.map((port) => ({ host: '127.0.0.1', port })));
    await strings(client);
    await Promise.all(Array.from({ length: 100 }, (_, i) => client.set(`k${i}`, i)));
    const values = await Promise.all(Array.from({ length: 100 }, (_, i) => client.get(`k${i}`)));
    assert.deepStrictEqual(values, Array.from({ length: 100 }, (_, i) => String(i)));
    assert.strictEqual(client.nodes('all').length, ports.length);
    client.disconnect();
}

async function main() {
    const ports = process.argv.slice(2).map(Number);
    await plain(ports[0]);
    await clustered(ports.slice(1));
    console.log('ok');
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
