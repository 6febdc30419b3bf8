import tseslint from "typescript-eslint";

/**
 * The layers: config <- plan <- remote <- credentials <- components <- index, cli. The lab and the tests are on top, and the
 * program does not import them. A folder may import only from folders below it.
 */
const LAYERS = ["config", "plan", "remote", "credentials", "components", "cli", "addons", "lab", "tests"];
const PURE = { regex: "^(@pulumi/|@muhlba91/|node:(fs|net|child_process|https?)$)", message: "this folder is pure" };
const layer = (name, { pure = false } = {}) => ({
  files: [`${name}/**/*.ts`],
  rules: {
    "no-restricted-imports": [
      "error",
      {
        patterns: [
          {
            regex: `^(\\.\\./)+(${LAYERS.slice(LAYERS.indexOf(name) + 1).join("|")})/`,
            message: `${name}/ must not import from a folder above it (docs/architecture.md)`,
          },
          ...(pure ? [PURE] : []),
        ],
      },
    ],
  },
});

/**
 * The add-ons are a separate program with the same layers. From the cluster's program they import only config/, which does not
 * depend on a cluster.
 */
const ADDONS_LAYERS = ["config", "plan", "components", "tests"];
const addonsLayer = (name, { pure = false } = {}) => {
  const above = ADDONS_LAYERS.slice(ADDONS_LAYERS.indexOf(name) + 1).join("|");
  const foreign = LAYERS.filter((layer) => layer !== "config").join("|");
  const at = (files, up) => ({
    files,
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              regex: `^${up}(${above})/`,
              message: `addons/${name}/ must not import from a folder above it (docs/architecture.md)`,
            },
            {
              regex: `^${up}\\.\\./(${foreign})/`,
              message: "addons/ imports only config/ of the cluster's program (docs/architecture.md)",
            },
            ...(pure ? [PURE] : []),
          ],
        },
      ],
    },
  });
  return [at([`addons/${name}/*.ts`], "\\.\\./"), at([`addons/${name}/*/*.ts`], "\\.\\./\\.\\./")];
};

export default tseslint.config(
  { ignores: ["node_modules/", "**/*.js", "**/*.mjs", "**/*.cjs"] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { project: ["./tsconfig.json", "./addons/tsconfig.json"] } },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
    },
  },
  layer("config", { pure: true }),
  layer("plan", { pure: true }),
  ...["remote", "credentials", "components", "cli"].map((name) => layer(name)),
  ...["config", "plan"].flatMap((name) => addonsLayer(name, { pure: true })),
  ...addonsLayer("components"),
  {
    files: ["lab/**/*.ts"],
    rules: {
      "@typescript-eslint/no-require-imports": "off",
      // A function that implements an asynchronous interface is async even without an await, so that a throw becomes a rejection.
      "@typescript-eslint/require-await": "off",
    },
  },
  {
    // Tests read JSON of other programs without types.
    files: ["tests/**/*.ts", "addons/tests/**/*.ts"],
    rules: {
      "@typescript-eslint/no-require-imports": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-call": "off",
      "@typescript-eslint/no-unsafe-return": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/require-await": "off",
    },
  },
);
