const Sequencer = require("@jest/test-sequencer").default;

// This suite takes longer than all others together, and uses all workers. If it started last, it would run alone.
const FIRST = /sequences\.test\.ts$/;

module.exports = class extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    return [...sorted.filter(({ path }) => FIRST.test(path)), ...sorted.filter(({ path }) => !FIRST.test(path))];
  }
};
