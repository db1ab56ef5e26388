'use strict';

// Runs a file of mocha's tests and closes with the line that tools/tally.py counts.

const path = require('path');
const Mocha = require('mocha');

// Only a bound against hanging for ever.
const mocha = new Mocha({ timeout: 60000, reporter: 'spec' });
mocha.addFile(path.resolve(process.argv[2]));

const runner = mocha.run((failures) => {
  console.log(`${runner.stats.passes} passed, ${failures} failed`);
  process.exit(failures > 0 ? 1 : 0);
});
