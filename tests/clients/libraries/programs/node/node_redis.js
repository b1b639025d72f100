// node_redis.js MODE PORT…: node-redis as scenario.py asks it to.
'use strict';
const { createClient, createCluster, createSentinel, WatchError } = require('redis');
const { serve } = require('./protocol.js');

const [mode, ...ports] = process.argv.slice(2);
const nodes = ports.map((port) => ({ host: '127.0.0.1', port: Number(port) }));

function create() {
    if (mode === 'cluster') return createCluster({ rootNodes: nodes.map((node) => ({ socket: node })) });
    if (mode === 'sentinel') return createSentinel({ name: 'mymaster', sentinelRootNodes: nodes });
    return createClient({ socket: nodes[0] });
}

const client = create();
let watching = null;

// The connection that WATCH and EXEC share: the node's own in a cluster, a leased one with Sentinel.
async function connection() {
    if (mode === 'cluster') return client.nodeClient(client.masters[0]);
    return mode === 'sentinel' ? client.acquire() : client;
}

async function main() {
    client.on('error', () => {}); // commands have errors of their own
    await client.connect();
    await serve({
        incr: async (key) => [await client.incr(key)],
        pipeline: async (key, count) => {
            const multi = client.multi();
            for (let i = 0; i < Number(count); i++) multi.incr(key);
            return multi.execAsPipeline();
        },
        transaction: async (one, other) => client.multi().incr(one).incr(other).exec(),
        set: async (key, value, milliseconds) => [await client.set(key, value, { PX: Number(milliseconds) })],
        get: async (key) => [await client.get(key)],
        watch: async (key) => {
            watching = await connection();
            await watching.watch(key);
            return [await watching.get(key)];
        },
        exec: async (key, value) => {
            try {
                return await watching.multi().set(key, value).exec();
            } catch (error) {
                if (error instanceof WatchError) return [null];
                throw error;
            } finally {
                if (mode === 'sentinel') await watching.release();
            }
        },
    });
}

main();
