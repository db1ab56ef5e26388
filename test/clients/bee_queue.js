'use strict';

const { assert } = require('chai');
const Queue = require('bee-queue');

describe('bee-queue', () => {
  const queues = [];

  function open(options) {
    const queue = new Queue('work', {
      redis: { port: Number(process.env.PORT) },
      activateDelayedJobs: true,
      ...options,
    });
    queues.push(queue);
    return queue;
  }

  afterEach(async () => {
    await queues[0].destroy();
    await Promise.all(queues.splice(0).map((queue) => queue.close(1000)));
  });

  it('has jobs done, each once, by several workers', async () => {
    const producer = open({ isWorker: false });
    const done = [];
    for (let i = 0; i < 3; i++) {
      open().process(5, async (job) => {
        done.push(job.data.number);
        return job.data.number * 2;
      });
    }
    const jobs = await producer.saveAll(
      Array.from({ length: 100 }, (_, number) => producer.createJob({ number }))
    );
    assert.equal(jobs.size, 0);
    while (done.length < 100 || (await producer.checkHealth()).succeeded < 100) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.sameMembers(done, Array.from({ length: 100 }, (_, number) => number));
  });

  it('tells the producer of results and failures', async () => {
    const producer = open({ isWorker: false });
    open().process(async (job) => {
      if (job.data.bad) {
        throw new Error('bad');
      }
      return 'good';
    });
    const good = producer.createJob({});
    const result = new Promise((resolve) => good.on('succeeded', resolve));
    const bad = producer.createJob({ bad: true });
    const failure = new Promise((resolve) => bad.on('failed', resolve));
    await good.save();
    await bad.save();
    assert.equal(await result, 'good');
    assert.equal((await failure).message, 'bad');
  });

  it('tries again, and later', async () => {
    const queue = open();
    let tries = 0;
    queue.process(async () => {
      tries += 1;
      if (tries < 3) {
        throw new Error('not yet');
      }
    });
    const job = queue.createJob({}).retries(5).delayUntil(Date.now() + 100);
    const done = new Promise((resolve) => job.on('succeeded', resolve));
    await job.save();
    await done;
    assert.equal(tries, 3);
  });
});
