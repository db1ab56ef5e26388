'use strict';

const { setTimeout: sleep } = require('timers/promises');
const { once } = require('events');
const { assert } = require('chai');
const { FlowProducer, Queue, QueueEvents, Worker } = require('bullmq');

const connection = { port: Number(process.env.PORT), maxRetriesPerRequest: null };

describe('BullMQ', () => {
  const opened = [];
  let queue;
  let events;

  function open(Class, ...rest) {
    const thing = new Class(...rest.slice(0, -1), { connection, ...rest[rest.length - 1] });
    thing.on('error', () => {}); // Of connections that are closed.
    thing.setMaxListeners(0);
    opened.push(thing);
    return thing;
  }

  function work(process, options = {}) {
    return open(Worker, 'work', process, options);
  }

  beforeEach(async () => {
    queue = open(Queue, 'work', {});
    await queue.obliterate({ force: true });
    events = open(QueueEvents, 'work', {});
    await events.waitUntilReady();
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).reverse().map((thing) => thing.close(true)));
  });

  function finished(jobs) {
    return Promise.all(jobs.map((job) => job.waitUntilFinished(events)));
  }

  function bulk(count, options = {}) {
    return queue.addBulk(Array.from({ length: count }, (_, number) => (
      { name: 'job', data: { number }, opts: options })));
  }

  it('has jobs done, each once, by several workers', async () => {
    const done = [];
    for (let i = 0; i < 3; i++) {
      work(async ({ data: { number } }) => {
        done.push(number);
        return number * 2;
      }, { concurrency: 5 });
    }
    const results = await finished(await bulk(200));
    assert.deepEqual(results, Array.from({ length: 200 }, (_, number) => number * 2));
    assert.sameMembers(done, Array.from({ length: 200 }, (_, number) => number));
    assert.equal(await queue.getCompletedCount(), 200);
  });

  it('keeps as many of those done as it is to', async () => {
    work(async () => {});
    await finished(await bulk(20, { removeOnComplete: 5 }));
    assert.equal(await queue.getCompletedCount(), 5);
  });

  it('tries again, later each time, and gives up', async () => {
    const starts = [];
    const failures = [];
    work(async ({ attemptsMade }) => {
      starts.push(Date.now());
      failures.push(attemptsMade);
      throw new Error('no');
    });
    const job = await queue.add('job', {},
      { attempts: 3, backoff: { type: 'exponential', delay: 50 } });
    await job.waitUntilFinished(events).then(
      () => assert.fail('this should have failed'),
      (error) => assert.equal(error.message, 'no'));
    assert.deepEqual(failures, [0, 1, 2]);
    assert.isAtLeast(starts[1] - starts[0], 49);
    assert.isAtLeast(starts[2] - starts[1], 99);
    assert.equal(await job.getState(), 'failed');
  });

  it('does a job later', async () => {
    const added = Date.now();
    const job = await queue.add('job', {}, { delay: 200 });
    assert.equal(await job.getState(), 'delayed');
    work(async () => Date.now());
    assert.isAtLeast(await job.waitUntilFinished(events), added + 199);
  });

  it('does first what is most important', async () => {
    const order = [];
    const jobs = [];
    for (const priority of [3, 1, 2, 1, 3]) {
      jobs.push(await queue.add('job', { priority }, { priority }));
    }
    jobs.push(await queue.add('job', { priority: 0 }, { lifo: true }));
    assert.deepEqual(await queue.getCountsPerPriority([1, 2, 3]), { 1: 2, 2: 1, 3: 2 });
    work(async ({ data: { priority } }) => order.push(priority));
    await finished(jobs);
    assert.deepEqual(order, [0, 1, 1, 2, 3, 3]);
  });

  it('repeats a job', async () => {
    let done = 0;
    await queue.upsertJobScheduler('often', { every: 60 }, { name: 'job' });
    const worker = work(async () => {
      done += 1;
    });
    while (done < 4) {
      await once(worker, 'completed');
    }
    const [scheduler] = await queue.getJobSchedulers();
    assert.equal(scheduler.every, 60);
    assert.isTrue(await queue.removeJobScheduler('often'));
    assert.equal(await queue.getJobSchedulersCount(), 0);
  });

  it('has the children of a flow done before it', async () => {
    const flows = open(FlowProducer, {});
    const child = (number) => ({ name: 'child', queueName: 'work', data: { number } });
    const flow = await flows.add({
      name: 'parent',
      queueName: 'work',
      children: [child(1), child(2), { ...child(3), children: [child(4)] }],
    });
    assert.equal(await flow.job.getState(), 'waiting-children');
    work(async (job) => {
      const values = Object.values(await job.getChildrenValues());
      return values.reduce((a, b) => a + b, job.data.number || 0);
    }, { concurrency: 3 });
    assert.equal(await flow.job.waitUntilFinished(events), 10);
    const { processed } = await flow.job.getDependencies();
    assert.lengthOf(Object.keys(processed), 3);
  });

  it('does not begin more than it may in a time', async () => {
    const starts = [];
    work(async () => starts.push(Date.now()),
      { concurrency: 10, limiter: { max: 4, duration: 300 } });
    await finished(await bulk(10));
    starts.sort((a, b) => a - b);
    assert.isAtLeast(starts[8] - starts[0], 500);
  });

  it('does again what a worker has left lying', async () => {
    const dead = work(async () => sleep(60000, undefined, { ref: false }),
      { lockDuration: 100, skipLockRenewal: true, skipStalledCheck: true });
    const job = await queue.add('job', {});
    await once(dead, 'active');
    const stalled = once(events, 'stalled');
    work(async () => 'done', { stalledInterval: 100 });
    assert.equal((await stalled)[0].jobId, job.id);
    assert.equal(await job.waitUntilFinished(events), 'done');
    assert.equal(await queue.getActiveCount(), 0);
  });

  it('keeps the lock of a job that takes long', async () => {
    let tries = 0;
    work(async () => {
      tries += 1;
      await sleep(1500);
    }, { lockDuration: 600, stalledInterval: 300 });
    await finished(await bulk(1));
    assert.equal(tries, 1);
  });

  it('does nothing while it is paused', async () => {
    let done = 0;
    await queue.pause();
    const jobs = await bulk(5);
    work(async () => {
      done += 1;
    });
    await sleep(100);
    assert.equal(done, 0);
    await queue.resume();
    await finished(jobs);
    assert.equal(done, 5);
  });

  it('has a job once, by its id or what it is about', async () => {
    const ids = [];
    for (let i = 0; i < 3; i++) {
      await queue.add('job', {}, { jobId: 'one' });
      ids.push((await queue.add('job', {}, { deduplication: { id: 'about' } })).id);
    }
    assert.equal(await queue.getWaitingCount(), 2);
    assert.lengthOf(new Set(ids), 1);
  });

  it('tells of progress, keeps what is logged, and takes back', async () => {
    const progress = once(events, 'progress');
    work(async (job) => {
      await job.log('half');
      await job.updateProgress(50);
      await job.updateData({ seen: true });
    });
    const job = await queue.add('job', {});
    assert.equal((await progress)[0].data, 50);
    await job.waitUntilFinished(events);
    assert.deepEqual((await queue.getJobLogs(job.id)).logs, ['half']);
    assert.deepEqual((await queue.getJob(job.id)).data, { seen: true });
    await job.remove();
    assert.isUndefined(await queue.getJob(job.id));
    const later = await bulk(10, { delay: 60000 });
    await later[0].promote();
    await queue.drain(true);
    assert.equal(await queue.count(), 0);
  });
});
