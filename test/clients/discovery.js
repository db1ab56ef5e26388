'use strict';

// How clients find the leader: by the Sentinel protocol, and as a cluster's master.

const { assert } = require('chai');
const Redis = require('ioredis');
const { createCluster, createSentinel } = require('node-redis');

const port = Number(process.env.PORT);
const address = { host: '127.0.0.1', port };

async function rejected(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.fail('this should have been rejected');
}

describe('ioredis', () => {
  const clients = [];

  function through(options) {
    const client = new Redis({ sentinels: [address], name: 'mymaster', ...options });
    clients.push(client);
    return client;
  }

  afterEach(() => {
    clients.splice(0).forEach((client) => client.disconnect());
  });

  it('finds the master by a Sentinel', async () => {
    const redis = through();
    assert.equal(await redis.set('k', 'v'), 'OK');
    assert.equal(await redis.get('k'), 'v');
    assert.equal((await redis.role())[0], 'master');
  });

  it('hears of a new one by a Sentinel', async () => {
    const redis = through({ failoverDetector: true });
    assert.equal(await redis.set('k', 'v'), 'OK');
    const news = new Redis(port);
    clients.push(news);
    while ((await news.pubsub('NUMSUB', '+switch-master'))[1] === 0);
  });

  it('knows that there is no other', async () => {
    const redis = through({ name: 'other', sentinelRetryStrategy: null, retryStrategy: null });
    redis.on('error', () => {});
    assert.match((await rejected(redis.ping())).message, /sentinels are unreachable/);
  });

  it('is content with the cluster', async () => {
    const cluster = new Redis.Cluster([address], { scaleReads: 'slave' });
    clients.push(cluster);
    assert.equal(await cluster.set('k', 'v'), 'OK');
    assert.equal(await cluster.get('k'), 'v');
    assert.deepEqual(await cluster.pipeline().incr('{n}1').incr('{n}2').exec(), [[null, 1], [null, 1]]);
    assert.lengthOf(cluster.nodes('master'), 1);
    await cluster.del('{n}1', '{n}2');
  });
});

describe('node-redis', () => {
  it('finds the master by a Sentinel', async () => {
    const sentinel = createSentinel({ name: 'mymaster', sentinelRootNodes: [address] });
    sentinel.on('error', () => {});
    await sentinel.connect();
    try {
      assert.equal(await sentinel.set('k', 'v'), 'OK');
      assert.equal(await sentinel.get('k'), 'v');
      assert.deepInclude(sentinel.getMasterNode(), address);
    } finally {
      sentinel.destroy();
    }
  });

  it('is content with the cluster', async () => {
    const cluster = createCluster({ rootNodes: [{ socket: address }], useReplicas: true });
    cluster.on('error', () => {});
    await cluster.connect();
    try {
      assert.equal(await cluster.set('k', 'v'), 'OK');
      assert.equal(await cluster.get('k'), 'v');
      assert.lengthOf(cluster.masters, 1);
    } finally {
      cluster.destroy();
    }
  });
});
