'use strict';

const { setTimeout: sleep } = require('timers/promises');
const { assert } = require('chai');
const Redis = require('ioredis');
const nodeRedis = require('node-redis');
const { BurstyRateLimiter, RateLimiterQueue, RateLimiterRedis } = require('rate-limiter-flexible');

const port = Number(process.env.PORT);

const clients = {
  ioredis: {
    connect: async () => new Redis({ port }),
    close: (client) => client.disconnect(),
  },
  'node-redis': {
    connect: () => nodeRedis.createClient({ socket: { port } }).connect(),
    close: (client) => client.destroy(),
  },
};

for (const [name, { connect, close }] of Object.entries(clients)) {
  describe(`rate-limiter-flexible with ${name}`, () => {
    let client;

    before(async () => {
      client = await connect();
    });

    after(() => close(client));

    beforeEach(async () => {
      await (name === 'ioredis' ? client.flushall() : client.flushAll());
    });

    function limiter(options) {
      return new RateLimiterRedis({
        storeClient: client,
        useRedisPackage: name !== 'ioredis',
        ...options,
      });
    }

    // What is not an error tells how long to wait.
    async function refusal(promise) {
      try {
        await promise;
      } catch (reason) {
        if (reason instanceof Error) {
          throw reason;
        }
        return reason;
      }
      return assert.fail('this should have been refused');
    }

    it('lets as many through as there are points', async () => {
      const limit = limiter({ points: 3, duration: 60 });
      const first = await limit.consume('somebody');
      assert.isTrue(first.isFirstInDuration);
      assert.equal(first.remainingPoints, 2);
      assert.equal((await limit.consume('somebody', 2)).remainingPoints, 0);
      const refused = await refusal(limit.consume('somebody'));
      assert.equal(refused.consumedPoints, 4);
      assert.isAbove(refused.msBeforeNext, 50000);
      assert.isAtMost(refused.msBeforeNext, 60000);
      assert.equal((await limit.consume('somebody else')).remainingPoints, 2);
    });

    it('lets no more through when all come at once', async () => {
      const limit = limiter({ points: 20, duration: 60 });
      const outcomes = await Promise.allSettled(
        Array.from({ length: 100 }, () => limit.consume('all')));
      assert.lengthOf(outcomes.filter(({ status }) => status === 'fulfilled'), 20);
      assert.isTrue(outcomes.every(({ reason }) => !(reason instanceof Error)));
      assert.equal((await limit.get('all')).consumedPoints, 100);
    });

    it('begins anew when the duration has passed', async () => {
      const limit = limiter({ points: 1, duration: 1 });
      await limit.consume('somebody');
      const { msBeforeNext } = await refusal(limit.consume('somebody'));
      await sleep(msBeforeNext + 20);
      assert.isTrue((await limit.consume('somebody')).isFirstInDuration);
    });

    it('blocks who has asked too often for longer', async () => {
      const limit = limiter({ points: 1, duration: 1, blockDuration: 60 });
      await limit.consume('somebody');
      await refusal(limit.consume('somebody'));
      await sleep(1100);
      assert.isAbove((await refusal(limit.consume('somebody'))).msBeforeNext, 50000);
    });

    it('takes and gives points besides, sets them, and forgets', async () => {
      const limit = limiter({ points: 10, duration: 60, keyPrefix: 'special' });
      await limit.consume('somebody');
      assert.equal((await limit.penalty('somebody', 5)).consumedPoints, 6);
      assert.equal((await limit.reward('somebody', 2)).consumedPoints, 4);
      assert.equal((await limit.set('somebody', 9, 60)).consumedPoints, 9);
      assert.equal((await limit.get('somebody')).remainingPoints, 1);
      assert.equal(await client.get('special:somebody'), '9');
      assert.isTrue(await limit.delete('somebody'));
      assert.isNull(await limit.get('somebody'));
      await limit.block('somebody', 30);
      assert.isAbove((await refusal(limit.consume('somebody'))).msBeforeNext, 20000);
    });

    it('counts for ever without a duration', async () => {
      const limit = limiter({ points: 2, duration: 0 });
      await limit.consume('somebody', 2);
      assert.equal((await refusal(limit.consume('somebody'))).msBeforeNext, -1);
    });

    it('lets a burst through beside the even flow', async () => {
      const limit = new BurstyRateLimiter(
        limiter({ points: 2, duration: 1 }),
        limiter({ points: 3, duration: 60, keyPrefix: 'burst' }));
      for (let i = 0; i < 5; i++) {
        await limit.consume('somebody');
      }
      await refusal(limit.consume('somebody'));
    });

    it('lets those wait that come too early', async () => {
      const queue = new RateLimiterQueue(limiter({ points: 2, duration: 1 }));
      const start = Date.now();
      await Promise.all(Array.from({ length: 5 }, () => queue.removeTokens(1)));
      assert.isAtLeast(Date.now() - start, 1000);
    });
  });
}
