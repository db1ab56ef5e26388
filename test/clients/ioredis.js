'use strict';

const { setTimeout: sleep } = require('timers/promises');
const { once } = require('events');
const { assert } = require('chai');
const Redis = require('ioredis');

const LOCK = `
  if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
    return redis.call('INCR', KEYS[2])
  end
  return false`;

const UNLOCK = `
  if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('DEL', KEYS[1])
  end
  return 0`;

describe('ioredis', () => {
  const clients = [];

  function connect(options) {
    const client = new Redis({ port: Number(process.env.PORT), ...options });
    clients.push(client);
    return client;
  }

  let redis;

  beforeEach(async () => {
    redis = connect();
    await redis.flushall();
  });

  afterEach(() => {
    clients.splice(0).forEach((client) => client.disconnect());
  });

  async function rejected(promise) {
    try {
      await promise;
    } catch (error) {
      return error;
    }
    return assert.fail('this should have been rejected');
  }

  describe('connections', () => {
    it('are ready when INFO says so', async () => {
      const client = connect({ lazyConnect: true });
      await client.connect();
      assert.equal(client.status, 'ready');
      assert.match(await client.info('persistence'), /\bloading:0\b/);
    });

    it('have a name and a database', async () => {
      const client = connect({ connectionName: 'somebody', db: 4 });
      await client.set('k', 'v');
      assert.equal(await client.client('GETNAME'), 'somebody');
      assert.match(await client.client('INFO'), / name=somebody .* db=4 /);
      assert.isNull(await redis.get('k'));
    });

    it('tell which library they come from', async () => {
      await redis.ping();
      assert.match(await redis.client('INFO'), / lib-name=ioredis\b.* lib-ver=5\./);
    });

    it('give a password', async () => {
      await redis.config('SET', 'requirepass', 'secret');
      try {
        assert.equal(await connect({ password: 'secret' }).ping(), 'PONG');
        assert.equal(await connect({ username: 'default', password: 'secret' }).ping(), 'PONG');
        const stranger = connect({ enableReadyCheck: false });
        assert.match((await rejected(stranger.get('k'))).message, /^NOAUTH /);
      } finally {
        await redis.config('SET', 'requirepass', '');
      }
    });

    it('are made anew after CLIENT KILL, with their database, and send what waits', async () => {
      const client = connect({ db: 2, retryStrategy: () => 10 });
      await client.set('k', 'v');
      const id = await client.client('ID');
      const closed = once(client, 'close');
      assert.equal(await redis.client('KILL', 'ID', id), 1);
      await closed;
      assert.equal(await client.get('k'), 'v');
      assert.notEqual(await client.client('ID'), id);
    });

    it('end with QUIT', async () => {
      const client = connect();
      assert.equal(await client.quit(), 'OK');
    });
  });

  describe('values', () => {
    it('are text or bytes', async () => {
      const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      await redis.set('k', everyByte);
      assert.isTrue(everyByte.equals(await redis.getBuffer('k')));
      await redis.set('ключ', 'значение');
      assert.equal(await redis.get('ключ'), 'значение');
    });

    it('of hashes are objects', async () => {
      await redis.hset('h', { a: 1, b: 2 });
      assert.deepEqual(await redis.hgetall('h'), { a: '1', b: '2' });
      assert.deepEqual(await redis.hgetall('nothing'), {});
    });

    it('may be big', async () => {
      const text = 'x'.repeat(8 << 20);
      await redis.set('k', text);
      assert.equal(await redis.get('k'), text);
    });

    it('of the wrong type are an error', async () => {
      await redis.set('k', 'v');
      const error = await rejected(redis.sadd('k', 'm'));
      assert.equal(error.name, 'ReplyError');
      assert.match(error.message, /^WRONGTYPE /);
    });
  });

  describe('scripts', () => {
    beforeEach(() => {
      redis.defineCommand('lock', { numberOfKeys: 2, lua: LOCK });
      redis.defineCommand('unlock', { numberOfKeys: 1, lua: UNLOCK });
    });

    it('defined as commands take and release a lock', async () => {
      assert.equal(await redis.lock('lock', 'token', 'me', 60000), 1);
      assert.isNull(await redis.lock('lock', 'token', 'you', 60000));
      assert.equal(await redis.unlock('lock', 'you'), 0);
      assert.equal(await redis.unlock('lock', 'me'), 1);
      assert.equal(await redis.lock('lock', 'token', 'you', 60000), 2);
    });

    it('are sent again after SCRIPT FLUSH', async () => {
      await redis.lock('lock', 'token', 'me', 60000);
      await redis.script('FLUSH');
      assert.equal(await redis.unlock('lock', 'me'), 1);
      await redis.script('FLUSH');
      assert.equal(await redis.lock('lock', 'token', 'me', 60000), 2);
    });

    it('run in pipelines and transactions that do not know whether they are loaded', async () => {
      await redis.script('FLUSH');
      const pipeline = redis.pipeline().lock('lock', 'token', 'me', 60000).unlock('lock', 'me');
      assert.deepEqual(await pipeline.exec(), [[null, 1], [null, 1]]);
      const done = await redis.multi().lock('lock', 'token', 'me', 60000).get('lock').exec();
      assert.deepEqual(done, [[null, 2], [null, 'me']]);
    });

    it('that are missing are NOSCRIPT', async () => {
      const error = await rejected(redis.evalsha('0'.repeat(40), 0));
      assert.match(error.message, /^NOSCRIPT /);
    });

    it('that fail leave nothing', async () => {
      const script = "redis.call('SET', KEYS[1], 1) error('on purpose')";
      const error = await rejected(redis.eval(script, 1, 'k'));
      assert.match(error.message, /on purpose/);
      assert.equal(await redis.exists('k'), 0);
    });

    it('prefix the keys they are given', async () => {
      const client = connect({ keyPrefix: 'app:' });
      client.defineCommand('lock', { numberOfKeys: 2, lua: LOCK });
      assert.equal(await client.lock('lock', 'token', 'me', 60000), 1);
      assert.equal(await redis.get('app:lock'), 'me');
    });
  });

  describe('pipelines and transactions', () => {
    it('reply in order, errors among them', async () => {
      const [set, incr, get] = await redis.pipeline().set('k', 'v').incr('k').get('k').exec();
      assert.deepEqual(set, [null, 'OK']);
      assert.match(incr[0].message, /not an integer/);
      assert.deepEqual(get, [null, 'v']);
    });

    it('may be long', async () => {
      const pipeline = redis.pipeline();
      for (let i = 0; i < 20000; i++) {
        pipeline.incr('k');
      }
      const replies = await pipeline.exec();
      assert.deepEqual(replies.map(([, n]) => n), Array.from({ length: 20000 }, (_, i) => i + 1));
    });

    it('come about by themselves', async () => {
      const client = connect({ enableAutoPipelining: true });
      const replies = await Promise.all(Array.from({ length: 100 }, () => client.incr('k')));
      assert.deepEqual(replies, Array.from({ length: 100 }, (_, i) => i + 1));
    });

    it('run as one, sent at once or step by step', async () => {
      assert.deepEqual(await redis.multi().set('k', 1).incr('k').exec(), [[null, 'OK'], [null, 2]]);
      await redis.multi({ pipeline: false });
      assert.equal(await redis.incr('k'), 'QUEUED');
      assert.deepEqual(await redis.exec(), [[null, 3]]);
    });

    it('are aborted by a bad command', async () => {
      const error = await rejected(redis.multi().set('k', 1).call('GET').exec());
      assert.match(error.message, /^EXECABORT /);
      assert.equal(await redis.exists('k'), 0);
    });

    it('are null when what they watch has changed', async () => {
      await redis.watch('k');
      await connect().set('k', 'changed');
      assert.isNull(await redis.multi().set('k', 'mine').exec());
      assert.equal(await redis.get('k'), 'changed');
    });
  });

  describe('streams', () => {
    async function collect(stream) {
      const found = [];
      for await (const page of stream) {
        found.push(...page);
      }
      return found;
    }

    it('of keys find each, and those of a pattern', async () => {
      const keys = Array.from({ length: 2000 }, (_, i) => `key:${i}`);
      await redis.mset(Object.fromEntries(keys.map((key) => [key, 'v'])));
      assert.sameMembers(await collect(redis.scanStream({ count: 100 })), keys);
      assert.sameMembers(
        await collect(redis.scanStream({ match: 'key:1?' })),
        keys.filter((key) => /^key:1.$/.test(key))
      );
    });

    it('of fields and members find each', async () => {
      const names = Array.from({ length: 1000 }, (_, i) => `name:${i}`);
      await redis.hset('h', Object.fromEntries(names.map((name) => [name, 'v'])));
      await redis.sadd('s', names);
      const fields = names.flatMap((name) => [name, 'v']);
      assert.sameMembers(await collect(redis.hscanStream('h')), fields);
      assert.sameMembers(await collect(redis.sscanStream('s')), names);
    });
  });

  it('sees keys expire', async () => {
    await redis.set('k', 'v', 'PX', 500);
    assert.equal(await redis.get('k'), 'v');
    await sleep(550);
    assert.isNull(await redis.get('k'));
  });

  it('waits for elements', async () => {
    const waiting = [connect(), connect()].map((client) => client.blpop('q', 60));
    while (!/blocked_clients:2/.test(await redis.info('clients'))) {
      await sleep(1);
    }
    await redis.rpush('q', 'a', 'b');
    const got = (await Promise.all(waiting)).map(([, element]) => element);
    assert.sameMembers(got, ['a', 'b']);
  });

  it('ranks by score', async () => {
    await redis.zadd('z', 1, 'a', 2.5, 'b', '+inf', 'c');
    assert.deepEqual(await redis.zrange('z', 0, 1, 'WITHSCORES'), ['a', '1', 'b', '2.5']);
    assert.deepEqual(await redis.zpopmax('z'), ['c', 'inf']);
  });

  it('reads streams, alone and in groups', async () => {
    const reading = connect().xread('BLOCK', 60000, 'STREAMS', 's', '$');
    while (!/blocked_clients:1/.test(await redis.info('clients'))) {
      await sleep(1);
    }
    const id = await redis.xadd('s', '*', 'name', 'a');
    assert.deepEqual(await reading, [['s', [[id, ['name', 'a']]]]]);
    await redis.xgroup('CREATE', 's', 'g', 0);
    const job = await redis.xreadgroup('GROUP', 'g', 'me', 'STREAMS', 's', '>');
    assert.deepEqual(job, [['s', [[id, ['name', 'a']]]]]);
    assert.equal(await redis.xack('s', 'g', id), 1);
  });

  it('hears messages, also of patterns', async () => {
    const listener = connect();
    const heard = [];
    await listener.subscribe('news');
    await listener.psubscribe('w*');
    listener.on('message', (channel, message) => heard.push([channel, message]));
    listener.on('pmessage', (pattern, channel, message) => heard.push([channel, message]));
    assert.equal(await redis.publish('news', 'hello'), 1);
    assert.equal(await redis.publish('weather', 'rain'), 1);
    while (heard.length < 2) {
      await sleep(1);
    }
    assert.deepEqual(heard, [['news', 'hello'], ['weather', 'rain']]);
    await listener.unsubscribe('news');
    assert.equal(await redis.publish('news', 'nobody'), 0);
  });
});
