// The program's side of what scenario.py says. A client has the operations as methods; each gives an array of replies.
'use strict';
const readline = require('readline');

const PAUSE_AFTER_ERROR_MS = 20;

function say(text) {
    process.stdout.write(text + '\n');
}

async function run(client, name, args) {
    try {
        for (const reply of await client[name](...args)) say(`= ${reply === null ? 'nil' : reply}`);
    } catch (error) {
        say(`! ${String(error).replace(/\s+/g, ' ')}`);
        await new Promise((resolve) => setTimeout(resolve, PAUSE_AFTER_ERROR_MS));
    }
}

exports.serve = async (client) => {
    say('ready');
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const [name, ...args] = line.split(' ');
        if (name === 'incr') for (let i = 0; i < Number(args[1]); i++) await run(client, 'incr', [args[0]]);
        else await run(client, name, args);
        say('.');
    }
    process.exit(0);
};
