/**
 * fast-check for all tests. Properties take the same values each time, so that a change fails by what it does; `make
 * fuzz` looks for more with seeds of its own (FUZZ_SEED).
 */
import fc from '../node_modules/fast-check/lib/fast-check.js';

fc.configureGlobal({ seed: Number(process.env.FUZZ_SEED ?? 1) });

export default fc;
