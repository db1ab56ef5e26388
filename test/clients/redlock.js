'use strict';

// redlock's own test suite, as its package brings it, with redis 3 and ioredis. It
// looks for a server where Redis is by default, and here finds ours.

const net = require('net');

const port = Number(process.env.PORT);
const connect = net.createConnection;

net.createConnection = (options, ...rest) => connect({ ...options, port }, ...rest);

require('redlock/test.js');
