/** One project a level, so that `--selectProjects unit` is quick and the order of `npm test` is from fast to real. */
const level = (displayName, extra = {}) => ({
  displayName,
  testMatch: [`<rootDir>/tests/${displayName}/**/*.test.ts`],
  transform: { "^.+\\.ts$": ["ts-jest", { diagnostics: false }] },
  testEnvironment: "node",
  ...extra,
});
module.exports = { projects: [level("unit"), level("program"), level("engine"), level("lab")] };
