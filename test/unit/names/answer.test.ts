import { describe, expect, test } from '@jest/globals';
import { type Answer, type DecodedPacket, decode, encode, type Packet } from 'dns-packet';
import fc from 'fast-check';
import { answerTo, type Reply } from '../../../daemon/names/answer.js';
import { createTableReader, linesFor, type NamesTable, tableOf } from '../../../daemon/names/table.js';

const many = Array.from({ length: 200 }, (_, index) => `172.17.3.${index}`);
const data = {
  zone: 'docker',
  isCurrent: true,
  names: [
    ['web', ['172.17.0.2', '172.17.0.3']],
    ['web.shop', ['172.18.0.2']],
    ['six', ['fd00::2']],
    ['both', ['172.17.0.9', 'fd00::9']],
    ['many', many],
    ['api', ['172.17.0.4']],
    ['v1.deep.api', ['172.17.0.5']],
  ],
} as const;
const current = tableOf(data);
const unsure = tableOf({ ...data, isCurrent: false });

const query = (name: string, type: string, more: Packet = {}): Buffer =>
  encode({
    type: 'query',
    id: 4711,
    flags: 0x100,
    questions: [{ name, type: type as 'A', class: 'IN' }],
    ...more,
  });
const edns = (size: number, version = 0): Packet => ({
  additionals: [
    {
      type: 'OPT',
      name: '.',
      udpPayloadSize: size,
      extendedRcode: 0,
      ednsVersion: version,
      flags: 0,
      flag_do: false,
      options: [],
    },
  ],
});

const rcodeOf = (bytes: Buffer): number => bytes.readUInt16BE(2) & 15;
const told = ({ bytes }: Reply): DecodedPacket & { code: number; values: unknown[]; kinds: string[] } => {
  if (!bytes) throw new Error('nothing was said');
  const packet = decode(bytes);
  const values = (packet.answers ?? []).map((answer) => ('data' in answer ? answer.data : null));
  return {
    ...packet,
    code: rcodeOf(bytes),
    values,
    kinds: (packet.authorities ?? []).map(({ type }: Answer) => type),
  };
};
const ask = (name: string, type = 'A', table: NamesTable = current) =>
  told(answerTo(query(name, type), table, 'udp'));

describe('an answer', () => {
  test('has every address, the name as it was asked, and our authority', () => {
    const packet = ask('WeB.dOCKer');
    expect(packet).toMatchObject({
      id: 4711,
      code: 0,
      flag_qr: true,
      flag_aa: true,
      flag_rd: true,
      flag_ra: false,
      questions: [{ name: 'WeB.dOCKer', type: 'A', class: 'IN' }],
      values: ['172.17.0.2', '172.17.0.3'],
    });
    expect(packet.answers?.map(({ name }) => name)).toEqual(['WeB.dOCKer', 'WeB.dOCKer']);
  });

  test.each([
    ['web.shop.docker', '172.18.0.2'],
    ['a.b.c.web.shop.docker', '172.18.0.2'],
    ['*.web.shop.docker', '172.18.0.2'],
    ['WEB.SHOP.DOCKER', '172.18.0.2'],
    ['both.docker', '172.17.0.9'],
    ['deep.api.docker', '172.17.0.4'],
    ['x.v1.deep.api.docker', '172.17.0.5'],
  ])('%s is %s', (name, address) => {
    expect(ask(name)).toMatchObject({ code: 0, values: [address] });
  });

  test('_ and - are alike', () => {
    const table = tableOf({ zone: 'docker', isCurrent: true, names: [['my-app', ['172.17.0.2']]] });
    for (const name of ['my_app.docker', 'my-app.docker'])
      expect(ask(name, 'A', table).values).toHaveLength(1);
  });

  test('AAAA as soon as there is IPv6', () => {
    expect(ask('six.docker', 'AAAA').values).toEqual(['fd00::2']);
    expect(ask('both.docker', 'AAAA').values).toEqual(['fd00::9']);
    expect(ask('both.docker', 'ANY').values).toEqual(['172.17.0.9']);
    expect(ask('six.docker', 'ANY').values).toEqual(['fd00::2']);
  });

  test.each(['AAAA', 'UNKNOWN_65', 'MX', 'TXT', 'SOA', 'NS', 'CNAME'])(
    'of a name without %s is nothing but a SOA',
    (type) => {
      for (const table of [current, unsure])
        expect(ask('web.docker', type, table)).toMatchObject({ code: 0, values: [], kinds: ['SOA'] });
    },
  );

  test('what only stands after names is there', () => {
    for (const table of [current, unsure])
      expect(ask('shop.docker', 'A', table)).toMatchObject({ code: 0, values: [], kinds: ['SOA'] });
  });

  test('the apex has a SOA and a NS', () => {
    expect(ask('docker', 'SOA').values).toEqual([expect.objectContaining({ mname: 'localhost' })]);
    expect(ask('docker', 'NS').values).toEqual(['localhost']);
    expect(ask('docker', 'A')).toMatchObject({ code: 0, values: [], kinds: ['SOA'] });
  });

  test('what is not there is denied, while that is known, and by silence when it is not', () => {
    expect(ask('db.docker')).toMatchObject({ code: 3, values: [], kinds: ['SOA'] });
    expect(answerTo(query('db.docker', 'A'), unsure, 'udp')).toEqual({
      bytes: null,
      asked: { name: 'db.docker', type: 'A' },
    });
    expect(ask('web.docker', 'A', unsure).values).toHaveLength(2);
  });

  test.each(['com', 'docker.com', 'web.dockerx', 'xdocker', '.', 'docker.local'])('%s is refused', (name) => {
    const reply = answerTo(query(name, 'A'), current, 'udp');
    expect(told(reply)).toMatchObject({ code: 5, flag_aa: false, values: [] });
    expect(reply.asked).toBeNull();
  });

  test('whole zones are not told', () => {
    for (const type of ['AXFR', 'IXFR']) expect(ask('docker', type)).toMatchObject({ code: 5, values: [] });
  });
});

describe('sizes', () => {
  test('more than 512 bytes over UDP are cut, and told over TCP', () => {
    const cut = answerTo(query('many.docker', 'A'), current, 'udp');
    expect(told(cut)).toMatchObject({ flag_tc: true, values: [], code: 0 });
    const whole = answerTo(query('many.docker', 'A'), current, 'tcp');
    expect(told(whole)).toMatchObject({ flag_tc: false, values: many });
  });

  test('with EDNS up to 1232, and never more', () => {
    const table = tableOf({ zone: 'docker', isCurrent: true, names: [['n', many.slice(0, 25)]] });
    expect(told(answerTo(query('n.docker', 'A', edns(1232)), table, 'udp'))).toMatchObject({
      flag_tc: false,
    });
    expect(told(answerTo(query('n.docker', 'A', edns(512)), table, 'udp'))).toMatchObject({ flag_tc: true });
    expect(told(answerTo(query('many.docker', 'A', edns(65_535)), current, 'udp'))).toMatchObject({
      flag_tc: true,
    });
  });

  test('EDNS is answered with ours, and a version that is not known is said to be bad', () => {
    const [opt] = told(answerTo(query('web.docker', 'A', edns(4096)), current, 'udp')).additionals ?? [];
    expect(opt).toMatchObject({ type: 'OPT', udpPayloadSize: 1232, ednsVersion: 0 });
    const bad = told(answerTo(query('web.docker', 'A', edns(4096, 1)), current, 'udp'));
    expect(bad).toMatchObject({ values: [], additionals: [{ type: 'OPT', extendedRcode: 1 }] });
  });

  test('the longest name that there is fits into TCP’s 64 KiB', () => {
    const before = Array(60).fill('abc').join('.');
    const { bytes } = answerTo(query(`${before}.many.docker`, 'A'), current, 'tcp');
    expect(bytes?.length).toBeGreaterThan(40_000);
    expect(bytes?.length).toBeLessThan(65_536);
  });
});

describe('guards', () => {
  const good = query('web.docker', 'A');
  const patched = (at: number, value: number): Buffer => {
    const packet = Buffer.from(good);
    packet.writeUInt16BE(value, at);
    return packet;
  };
  const replyTo = (packet: Buffer): Reply => answerTo(packet, current, 'udp');

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['half a header', good.subarray(0, 11)],
    ['an answer', patched(2, 0x8100)],
    ['more than 512 bytes', Buffer.concat([good, Buffer.alloc(500)])],
  ])('%s gets none', (_what, packet) => {
    expect(replyTo(packet)).toEqual({ bytes: null, asked: null });
  });

  test.each([
    ['no question', 4, 0],
    ['two questions', 4, 2],
    ['65535 questions', 4, 65_535],
    ['an answer in a query', 6, 1],
    ['an authority in a query', 8, 1],
    ['a record that is not there', 10, 1],
    ['many records', 10, 3],
  ])('%s is malformed', (_what, at, value) => {
    const { bytes } = replyTo(patched(at, value));
    expect(bytes).toHaveLength(12);
    expect(bytes?.readUInt16BE(0)).toBe(4711);
    expect(bytes && rcodeOf(bytes)).toBe(1);
  });

  test('another opcode is not implemented', () => {
    for (const opcode of [1, 2, 4, 5, 15]) {
      const { bytes } = replyTo(patched(2, opcode << 11));
      expect(bytes && rcodeOf(bytes)).toBe(4);
    }
  });

  test('another class is refused', () => {
    const { bytes } = replyTo(patched(good.length - 2, 3));
    expect(bytes && rcodeOf(bytes)).toBe(5);
  });

  test.each([
    ['a dot', '.'],
    ['a nul', '\0'],
    ['a byte over 127', '\u00ff'],
  ])('a label with %s in it is none', (_what, byte) => {
    const packet = Buffer.from(good);
    packet.write(byte, 14, 'latin1');
    const { bytes } = replyTo(packet);
    expect(bytes && rcodeOf(bytes)).toBe(1);
  });

  test('a pointer in the question is none, and neither is a loop of them', () => {
    for (const pointer of [0xc00c, 0xc000, 0xffff]) {
      const { bytes } = replyTo(patched(12, pointer));
      expect(bytes && rcodeOf(bytes)).toBe(1);
    }
  });
});

/** Packets that have something of a query about them: real ones with bits turned, parts cut out and put in. */
const mutated = fc
  .tuple(
    fc.constantFrom(
      query('web.docker', 'A'),
      query('a.b.web.shop.docker', 'AAAA', edns(1232)),
      query('many.docker', 'ANY', edns(4096)),
      query('docker', 'SOA'),
      query('x'.repeat(60), 'TXT', edns(0, 1)),
    ),
    fc.array(fc.tuple(fc.nat(600), fc.nat(255), fc.nat(3)), { maxLength: 8 }),
    fc.uint8Array({ maxLength: 20 }),
  )
  .map(([base, changes, extra]) => {
    let packet = Buffer.from(base);
    for (const [place, value, kind] of changes) {
      const at = place % (packet.length + 1);
      if (kind === 0) packet[at] = value;
      else if (kind === 1) packet = packet.subarray(0, at);
      else if (kind === 2) packet = Buffer.concat([packet.subarray(0, at), extra, packet.subarray(at)]);
      else packet.writeUInt8((packet[at % packet.length] ?? 0) ^ (1 << (value % 8)), at % packet.length || 0);
      if (packet.length === 0) break;
    }
    return packet;
  });

test('whatever comes, nothing breaks, nothing outside of the zone is answered, and no answer is longer than allowed', () => {
  fc.assert(
    fc.property(mutated, fc.boolean(), (packet, isKnown) => {
      const { bytes } = answerTo(packet, isKnown ? current : unsure, 'udp');
      if (!bytes) return;
      if (bytes.readUInt16BE(0) !== packet.readUInt16BE(0) || bytes.length > 1232) throw new Error('length');
      for (const { name } of decode(bytes).answers ?? [])
        if (!/(^|\.)docker$/i.test(name)) throw new Error(`${name} was answered`);
    }),
    { numRuns: 3000 },
  );
});

test('a name outside of the zone is refused, whatever it is and whatever is asked of it, and is not remembered', () => {
  const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/);
  const outside = fc
    .oneof(
      fc.domain(),
      fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.')),
      label.map((before) => `${before}docker`),
      label.map((after) => `web.docker.${after}`),
    )
    .filter((name) => !/(^|\.)docker$/i.test(name));
  const type = fc.constantFrom('A', 'AAAA', 'ANY', 'NS', 'SOA', 'TXT', 'AXFR');
  fc.assert(
    fc.property(outside, type, fc.boolean(), (name, asked, isKnown) => {
      const reply = answerTo(query(name, asked), isKnown ? current : unsure, 'udp');
      const { code, values, kinds, flag_aa: isAuthority } = told(reply);
      expect({ code, values, kinds, isAuthority, asked: reply.asked }).toEqual({
        code: 5,
        values: [],
        kinds: [],
        isAuthority: false,
        asked: null,
      });
    }),
    { numRuns: 1000 },
  );
});

test('200,000 mutated packets: none breaks it, and each takes well under a millisecond', () => {
  const bases = [
    query('web.docker', 'A', edns(1232)),
    query('a.web.shop.docker', 'AAAA'),
    query('many.docker', 'A', edns(512)),
  ];
  let state = 12_345;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  let longest = 0;
  let replies = 0;
  const began = process.cpuUsage();
  for (let count = 0; count < 200_000; count += 1) {
    const base = bases[count % bases.length] ?? Buffer.alloc(0);
    const packet = Buffer.from(base.subarray(0, base.length - (random(4) === 0 ? random(base.length) : 0)));
    for (let turns = random(4); turns > 0 && packet.length > 0; turns -= 1)
      packet[random(packet.length)] = random(256);
    const { bytes } = answerTo(packet, current, 'udp');
    replies += bytes ? 1 : 0;
    longest = Math.max(longest, bytes?.length ?? 0);
  }
  const { user } = process.cpuUsage(began);
  expect(replies).toBeGreaterThan(50_000);
  expect(longest).toBeLessThanOrEqual(1232);
  expect(user / 200_000).toBeLessThan(500);
}, 120_000);

test('the names as lines are the same names again, however many, and lines of another list begin anew', () => {
  const few = { ...data, names: data.names.map(([name, addresses]) => [name, [...addresses]] as const) };
  const many = {
    zone: 'docker.test',
    isCurrent: false,
    names: Array.from({ length: 2345 }, (_, index) => [`n${index}.web`, ['172.17.0.2']] as const),
  };
  const read = createTableReader();
  for (const names of [few, many, { ...few, names: [] }, few]) {
    const tables = Array.from(linesFor(names), read);
    expect(tables.slice(0, -1).every((table) => table === null)).toBe(true);
    expect(tables.at(-1)).toEqual(tableOf(names));
  }
});
