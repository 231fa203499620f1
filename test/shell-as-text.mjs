/** Jest's counterpart of the bundler's text loader for shell files. */
export default {
  process: (text) => ({ code: `export default ${JSON.stringify(text)};` }),
};
