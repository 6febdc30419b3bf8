/** One project for each level, so that `--selectProjects unit` is quick and `npm test` runs from fast to real. */
const level = (displayName, extra = {}) => ({
  displayName,
  testMatch: [`<rootDir>/{,addons/}tests/${displayName}/**/*.test.ts`],
  transform: { "^.+\\.ts$": ["ts-jest", { diagnostics: false }] },
  testEnvironment: "node",
  ...extra,
});
// A busy machine is not a failure, so this limit is long. It has no effect inside a project.
module.exports = {
  testTimeout: 60_000,
  testSequencer: "<rootDir>/tests/sequencer.cjs",
  projects: [
    level("unit"),
    level("scripts"),
    level("program"),
    level("engine"),
    level("lab"),
    level("long"),
    level("addons"),
    level("vms"),
  ],
};
