/** What `tuntapctl … --json` prints, as JSON Schema. Pure. */
import * as z from 'zod';
import { configSchema } from '../config/schema.js';
import {
  errorSchema,
  namesSchema,
  outcomeSchema,
  routeSchema,
  statusFormat,
  statusSchema,
  versionSchema,
} from '../daemon/api/messages.js';

const text = z.string();
const questionSchema = z.object({
  id: text.describe('e.g. TT103; never given to another question'),
  question: text,
});

const findingSchema = questionSchema.extend({
  status: z.enum(['pass', 'fail', 'unknown']),
  detail: text,
  fix: z.array(text).readonly().describe('What to do, mostly commands'),
});

const setSchema = z.object({
  key: text,
  value: z.unknown().describe('As it is in force now'),
  changed: z.boolean().describe('Whether the file is another one than before'),
  inForce: text.describe('From when on a change counts, for people'),
});

const eachLine = 'Each line of the answer';

/** By the command, as it is typed without `--json`; the answers of the control socket after them. */
const answers = {
  'tuntapctl status': statusSchema,
  'tuntapctl status --watch': statusSchema.describe(eachLine),
  'tuntapctl logs': z
    .looseObject({
      time: text.optional().describe('ISO 8601; left out: the line tells none, as those of a crash'),
      level: text.optional(),
      message: text,
      source: text.optional().describe('The file, of a line that is not of the daemon’s own log'),
    })
    .describe(eachLine),
  'tuntapctl routes': z.array(routeSchema),
  'tuntapctl names': namesSchema.nullable().describe('null: there are to be none, or they are not known now'),
  'tuntapctl version': z.object({
    tuntapctl: text,
    tuntapd: text.nullable().describe('null: it does not answer'),
    format: z.int().describe('Of all that tuntapctl prints as JSON'),
  }),
  'tuntapctl doctor': z.array(findingSchema),
  'tuntapctl doctor --list': z.array(questionSchema),
  'tuntapctl ping': z.object({
    name: text,
    address: text.nullable(),
    reached: z.boolean(),
    hops: z
      .array(
        z.object({
          hop: text,
          status: z.enum(['pass', 'fail']),
          detail: text,
          fix: z.array(text).readonly(),
        }),
      )
      .describe('In their order; only the last one can fail'),
  }),
  'tuntapctl open': z.object({ url: text }),
  'tuntapctl bugreport': z.object({ path: text, files: z.array(text) }),
  'tuntapctl bugreport --show': z.object({ files: z.array(z.object({ name: text, text })) }),
  'tuntapctl up': outcomeSchema,
  'tuntapctl down': outcomeSchema,
  'tuntapctl restart': outcomeSchema,
  'tuntapctl shim restore': outcomeSchema,
  'tuntapctl shim show': z.object({ shim: text }),
  'tuntapctl config show': z.object({
    source: text.describe('The path of the file; defaults: there is none'),
    config: configSchema,
  }),
  'tuntapctl config set': z
    .union([setSchema, z.array(setSchema)])
    .describe('One key as an object, several as a list'),
  'tuntapctl config schema': z
    .looseObject({ $schema: text, properties: z.record(text, z.unknown()) })
    .describe('The JSON Schema of the file'),
  'tuntapctl config path': z.object({ path: text }),
  'tuntapctl config init': z.object({ path: text }),
  'tuntapctl config check': z.object({
    valid: z.boolean(),
    source: text,
    problems: z.array(z.looseObject({ key: text, message: text })).readonly(),
  }),
  'tuntapctl uninstall': z.object({
    removed: z.literal(true),
    said: z.array(text).describe('What was done, and what was left as it is'),
  }),
  'tuntapctl completion': z.object({ shell: text, script: text }),
  'GET /v1/version': versionSchema,
  'GET /v1/status': statusSchema,
  'GET /v1/watch': statusSchema.describe(eachLine),
  'POST /v1/up': outcomeSchema,
  'any error of the control socket': errorSchema,
} as const satisfies Readonly<Record<string, z.ZodType>>;

/** What zod says of every integer and list, and the configuration to whoever writes it. */
function withoutNoise({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  delete jsonSchema.readOnly;
  // Of the configuration: who writes it may add no key, but a later version may.
  if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
  delete jsonSchema['allowed'];
  delete jsonSchema['inForce'];
}

/** The page docs/json.schema.json: a definition for each answer. */
export const jsonSchema = (): object => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'What tuntapctl --json and tuntapd’s control socket answer',
  description:
    `Format ${statusFormat} (the key format of a status and of tuntapctl version). It grows when a key goes or changes ` +
    'its meaning; keys may come without that, so whoever reads must pass over those that he does not know. A command ' +
    'that could not do what was asked says why on stderr, and its exit code tells the same.',
  $defs: Object.fromEntries(
    Object.entries<z.ZodType>(answers).map(([name, schema]) => {
      const definition = z.toJSONSchema(schema, { io: 'input', override: withoutNoise });
      delete definition.$schema;
      return [name, definition];
    }),
  ),
});
