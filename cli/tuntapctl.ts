import '../daemon/lib/no-inspector.js';
import { layoutAt } from '../daemon/lib/layout.js';
import { runProcess } from './process.js';

await runProcess(layoutAt());
