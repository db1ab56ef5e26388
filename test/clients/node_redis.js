'use strict';

const { assert } = require('chai');
const {
  createClient,
  createClientPool,
  defineScript,
  ErrorReply,
  WatchError,
} = require('node-redis');

const scripts = {
  lock: defineScript({
    NUMBER_OF_KEYS: 1,
    SCRIPT: "return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])",
    parseCommand(parser, key, token, ttl) {
      parser.pushKey(key);
      parser.push(token, ttl.toString());
    },
    transformReply: (reply) => reply !== null,
  }),
};

for (const RESP of [2, 3]) {
  describe(`node-redis with RESP${RESP}`, () => {
    const socket = { port: Number(process.env.PORT), reconnectStrategy: 10 };
    const options = { socket, RESP, scripts };
    const clients = [];

    async function connect(more) {
      const client = createClient({ ...options, ...more });
      client.on('error', () => {}); // It tells that a connection is lost, and makes a new one.
      await client.connect();
      clients.push(client);
      return client;
    }

    let redis;

    beforeEach(async () => {
      redis = await connect();
      await redis.flushAll();
    });

    afterEach(() => {
      clients.splice(0).forEach((client) => client.destroy());
    });

    async function rejected(promise) {
      try {
        await promise;
      } catch (error) {
        return error;
      }
      return assert.fail('this should have been rejected');
    }

    it('speaks it', async () => {
      const info = await redis.sendCommand(['CLIENT', 'INFO']);
      assert.match(info, new RegExp(` resp=${RESP}\\b`));
      assert.match(info, / lib-name=node-redis\b/);
    });

    it('has a name and a database', async () => {
      const client = await connect({ name: 'somebody', database: 4 });
      await client.set('k', 'v');
      assert.equal(await client.clientGetName(), 'somebody');
      assert.isNull(await redis.get('k'));
    });

    it('gives a password', async () => {
      await redis.configSet('requirepass', 'secret');
      try {
        assert.equal(await (await connect({ password: 'secret' })).ping(), 'PONG');
        const once = { ...socket, reconnectStrategy: false };
        const stranger = connect({ password: 'wrong', socket: once });
        assert.match((await rejected(stranger)).message, /^WRONGPASS /);
      } finally {
        await redis.configSet('requirepass', '');
      }
    });

    it('connects again after CLIENT KILL, with its database', async () => {
      const client = await connect({ database: 2 });
      await client.set('k', 'v');
      const id = await client.clientId();
      const ready = new Promise((resolve) => client.once('ready', resolve));
      await redis.clientKill({ filter: 'ID', id });
      await ready;
      assert.equal(await client.get('k'), 'v');
      assert.notEqual(await client.clientId(), id);
    });

    it('gets values of each type', async () => {
      const minute = { type: 'PX', value: 60000 };
      assert.equal(await redis.set('k', 'v', { expiration: minute, condition: 'NX' }), 'OK');
      assert.isNull(await redis.set('k', 'w', { condition: 'NX' }));
      assert.isAbove(await redis.pTTL('k'), 50000);
      assert.equal(await redis.hSet('h', { a: 1, b: 2 }), 2);
      assert.deepEqual({ ...(await redis.hGetAll('h')) }, { a: '1', b: '2' });
      assert.deepEqual(await redis.hmGet('h', ['b', 'c']), ['2', null]);
      await redis.sAdd('s', ['a', 'b']);
      assert.sameMembers([...(await redis.sMembers('s'))], ['a', 'b']);
      assert.equal(await redis.incrByFloat('f', 1.5), '1.5');
      assert.deepEqual({ ...(await redis.configGet('maxmemory')) }, { maxmemory: '0' });
    });

    it('gets errors', async () => {
      await redis.set('k', 'v');
      const error = await rejected(redis.incr('k'));
      assert.instanceOf(error, ErrorReply);
      assert.match(error.message, /not an integer/);
    });

    it('evaluates scripts', async () => {
      const script = "return {KEYS[1], ARGV[1], 1.9, false, {true, redis.status_reply('FINE')}}";
      const reply = await redis.eval(script, { keys: ['k'], arguments: ['a'] });
      assert.deepEqual(reply, ['k', 'a', 1, null, [1, 'FINE']]);
      assert.equal(await redis.evalRo('return 1'), 1);
    });

    it('sends defined scripts again after SCRIPT FLUSH', async () => {
      assert.isTrue(await redis.lock('lock', 'me', 60000));
      await redis.scriptFlush();
      assert.isFalse(await redis.lock('lock', 'you', 60000));
      await redis.del('lock');
      await redis.scriptFlush();
      const both = redis.multi().lock('lock', 'you', 60000).get('lock');
      assert.deepEqual(await both.exec(), [true, 'you']);
    });

    it('leaves nothing of a script that failed', async () => {
      const error = await rejected(redis.eval("redis.call('SET', 'k', 1) error('on purpose')"));
      assert.match(error.message, /on purpose/);
      assert.equal(await redis.exists('k'), 0);
    });

    it('pipelines by itself', async () => {
      const replies = await Promise.all(Array.from({ length: 1000 }, () => redis.incr('k')));
      assert.deepEqual(replies, Array.from({ length: 1000 }, (_, i) => i + 1));
    });

    it('runs transactions', async () => {
      assert.deepEqual(await redis.multi().set('k', '1').incr('k').get('k').exec(), ['OK', 2, '2']);
      const failing = redis.multi().set('k', 'text').incr('k').set('after', '1');
      const error = await rejected(failing.exec());
      assert.lengthOf([...error.errors()], 1);
      assert.equal(await redis.get('after'), '1');
    });

    it('sees that what it watched has changed', async () => {
      await redis.watch('k');
      await (await connect()).set('k', 'changed');
      assert.instanceOf(await rejected(redis.multi().set('k', 'mine').exec()), WatchError);
      assert.equal(await redis.get('k'), 'changed');
    });

    it('iterates over keys, fields and members', async () => {
      const names = Array.from({ length: 1000 }, (_, i) => `name:${i}`);
      const found = { keys: [], fields: [], members: [] };
      await redis.mSet(names.map((name) => [name, 'v']));
      await redis.hSet('h', names.flatMap((name) => [name, 'v']));
      await redis.sAdd('s', names);
      for await (const page of redis.scanIterator({ MATCH: 'name:*', COUNT: 100 })) {
        found.keys.push(...page);
      }
      for await (const page of redis.hScanIterator('h')) {
        found.fields.push(...page.map(({ field }) => field));
      }
      for await (const page of redis.sScanIterator('s')) {
        found.members.push(...page);
      }
      assert.sameMembers(found.keys, names);
      assert.sameMembers(found.fields, names);
      assert.sameMembers(found.members, names);
    });

    it('waits for elements, in sorted sets as well', async () => {
      const other = await connect();
      const waiting = other.bzPopMin('z', 60);
      await redis.zAdd('z', { score: 1.5, value: 'a' });
      assert.deepEqual({ ...(await waiting) }, { key: 'z', value: 'a', score: 1.5 });
      assert.isNull(await other.blPop('none', 0.01));
    });

    it('reads entries of streams', async () => {
      const id = await redis.xAdd('s', '*', { name: 'a' });
      const [entry] = await redis.xRange('s', '-', '+');
      assert.equal(entry.id, id);
      assert.deepEqual({ ...entry.message }, { name: 'a' });
    });

    it('hears messages', async () => {
      const listener = await connect();
      const heard = new Promise((resolve) => listener.subscribe('news', resolve).catch(resolve));
      while ((await redis.publish('news', 'hello')) === 0);
      assert.equal(await heard, 'hello');
    });

    it('shares a pool of connections', async () => {
      const pool = await createClientPool(options, { maximum: 5 }).connect();
      try {
        await Promise.all(Array.from({ length: 500 }, () => pool.incr('k')));
        assert.equal(await pool.get('k'), '500');
      } finally {
        pool.destroy();
      }
    });
  });
}
