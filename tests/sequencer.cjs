const Sequencer = require("@jest/test-sequencer").default;

// Longer than all others together, and with as many lanes as there are workers: started last, it would run alone.
const FIRST = /sequences\.test\.ts$/;

module.exports = class extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    return [...sorted.filter(({ path }) => FIRST.test(path)), ...sorted.filter(({ path }) => !FIRST.test(path))];
  }
};
