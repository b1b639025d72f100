// ioredis.js MODE PORT…: ioredis as scenario.py asks it to.
'use strict';
const Redis = require('ioredis');
const { serve } = require('./protocol.js');

const [mode, ...ports] = process.argv.slice(2);
const nodes = ports.map((port) => ({ host: '127.0.0.1', port: Number(port) }));

function connect() {
    if (mode === 'cluster') return new Redis.Cluster(nodes);
    if (mode === 'sentinel') return new Redis({ sentinels: nodes, name: 'mymaster' });
    return new Redis(nodes[0]);
}

// What exec() of a pipeline gives: pairs of error and reply, or null.
function replies(pairs) {
    if (pairs === null) return [null];
    for (const [error] of pairs) if (error) throw error;
    return pairs.map(([, reply]) => reply);
}

const client = connect();
client.on('error', () => {}); // commands have errors of their own

serve({
    incr: async (key) => [await client.incr(key)],
    pipeline: async (key, count) => {
        const pipeline = client.pipeline();
        for (let i = 0; i < Number(count); i++) pipeline.incr(key);
        return replies(await pipeline.exec());
    },
    transaction: async (one, other) => replies(await client.multi().incr(one).incr(other).exec()),
    set: async (key, value, milliseconds) => [await client.set(key, value, 'PX', Number(milliseconds))],
    get: async (key) => [await client.get(key)],
    watch: async (key) => {
        await client.watch(key);
        return [await client.get(key)];
    },
    exec: async (key, value) => replies(await client.multi().set(key, value).exec()),
});
