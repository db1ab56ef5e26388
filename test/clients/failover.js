'use strict';

// ioredis and node-redis at a group of three servers whose leader changes, by Sentinels.

const { setTimeout: sleep } = require('timers/promises');
const { assert } = require('chai');
const Redis = require('ioredis');
const { createSentinel } = require('node-redis');

const ports = process.env.PORTS.split(',').map(Number);
const addresses = ports.map((port) => ({ host: '127.0.0.1', port }));

// Makes another server the leader.
async function transfer() {
  for (const port of ports) {
    const client = new Redis(port);
    client.on('error', () => {});
    try {
      if ((await client.role())[0] === 'master') {
        assert.equal(await client.call('RAFT', 'TRANSFER'), 'OK');
        return;
      }
    } finally {
      client.disconnect();
    }
  }
}

// Counts for a while, and returns how often it failed and what took longest.
async function count(increase, until) {
  const result = { done: 0, unknown: 0, longest: 0 };
  while (!until()) {
    const started = Date.now();
    try {
      await increase();
      result.done++;
    } catch (error) {
      assert.match(error.message, /UNCERTAIN|CLUSTERDOWN|READONLY|closed|Connection/i);
      result.unknown++;
      await sleep(5);
    }
    result.longest = Math.max(result.longest, Date.now() - started);
  }
  return result;
}

async function countThroughTransfers(increase) {
  let ended = false;
  const counting = count(increase, () => ended);
  for (let i = 0; i < 3; i++) {
    await sleep(500);
    await transfer();
  }
  await sleep(500);
  ended = true;
  const result = await counting;
  console.log(result);
  assert.isAbove(result.done, 100);
  return result;
}

describe('ioredis', () => {
  it('follows the leader without being told how', async () => {
    const redis = new Redis({ sentinels: addresses, name: 'mymaster' });
    redis.on('error', () => {});
    const { done, unknown } = await countThroughTransfers(() => redis.incr('n'));
    const n = Number(await redis.get('n'));
    assert.isTrue(done <= n && n <= done + unknown, `${n} of ${done} and ${unknown}`);
    redis.disconnect();
  });
});

describe('node-redis', () => {
  it('follows the leader', async () => {
    const sentinel = createSentinel({ name: 'mymaster', sentinelRootNodes: addresses });
    sentinel.on('error', () => {});
    await sentinel.connect();
    const { done, unknown } = await countThroughTransfers(() => sentinel.incr('m'));
    const m = Number(await sentinel.get('m'));
    assert.isTrue(done <= m && m <= done + unknown, `${m} of ${done} and ${unknown}`);
    sentinel.destroy();
  });
});
