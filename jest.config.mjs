const base = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts', '.sh', '.agent'],
  moduleFileExtensions: ['js', 'mjs', 'ts', 'json', 'node', 'sh', 'agent'],
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^fast-check$': '<rootDir>/test/repeatable-properties.mjs',
  },
  transform: {
    '\\.sh$': '<rootDir>/test/shell-as-text.mjs',
    '\\.agent$': '<rootDir>/test/agent-as-bytes.mjs',
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript' },
          target: 'es2022',
          experimental: { keepImportAttributes: true },
        },
        module: { type: 'es6' },
      },
    ],
  },
};

/** @type {import('jest').Config} */
export default {
  workerIdleMemoryLimit: '1GB',
  // For what hangs; a loaded machine is slow.
  testTimeout: 30_000,
  projects: [
    { ...base, displayName: 'unit', testMatch: ['<rootDir>/test/unit/**/*.test.ts'] },
    // All that needs Linux and root, and no story: the lab's own tests, and the product's.
    { ...base, displayName: 'lab', testMatch: ['<rootDir>/test/{lab,product}/**/*.test.ts'] },
    { ...base, displayName: 'e2e', testMatch: ['<rootDir>/test/e2e/**/*.test.ts'] },
    { ...base, displayName: 'quiet', testMatch: ['<rootDir>/test/quiet/**/*.test.ts'] },
  ],
};
