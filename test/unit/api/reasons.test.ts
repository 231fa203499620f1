/** The registry of reasons as a whole, and what is made of it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { format } from 'prettier';
import { main } from '../../../cli/main.js';
import { describeConfig } from '../../../config/keys.js';
import { filled, restartRuntime } from '../../../daemon/api/reasons/remedies.js';
import { causeOf, withoutConsequences } from '../../../daemon/api/reasons/consequences.js';
import { conditionTypes, type Topic } from '../../../daemon/api/reasons/record.js';
import { bounds, renderReasons } from '../../../daemon/api/reasons/reference.js';
import {
  type Entry,
  entryOf,
  questionOf,
  type Reason,
  type ReasonOf,
  registry,
} from '../../../daemon/api/reasons/registry.js';

const nameOf = ({ type, reason }: Entry): string => `${type} ${reason}`;

test('numbers, types and names that programs know: none of them ever changes', () => {
  const reasons = Object.fromEntries(
    conditionTypes.map((type) => [
      `${questionOf(type)?.code ?? ''} ${type}`,
      registry
        .filter((entry) => entry.type === type)
        .map(({ reason }) => reason)
        .toSorted()
        .join(' '),
    ]),
  );
  expect(reasons).toEqual({
    'TT100 Configuration': 'Invalid Valid',
    'TT101 ConsoleUser': 'LoggedIn NobodyLoggedIn NotSeen',
    'TT102 TapDevice':
      'Failed KextMissing KextNotApproved KextNotLoaded NotNeeded NotOwned NotSeen Owned Present',
    'TT103 Shim':
      'AppManagement BeingReplaced BeingWritten BundleRefused DoesNotAnswer Failed ForeignScript Installed NoDocker ' +
      'NoHyperkit NotInstalled NotLaunched NotManaged NotNeeded NotSeen OriginalMissing OriginalTaken ReadOnly Refused ' +
      'Removed Restored TooManyBundles',
    'TT104 VirtualMachine':
      'ContextMissing ContextNotLocal DockerVmm NoWayIn NotChosen NotRunning NotSeen RoutesItself Running ' +
      'VirtualizationFramework',
    'TT105 TapAttached':
      'Attached HeldByAnother HeldByLeftover HeldByOtherUser LinkCollision NicNotSought NicUnproven NicWithoutAddress ' +
      'NoSharedNetwork NoSharedNic NoVm NotSeen OtherMac RestartNeeded RestartPending SeveralNics StartedWithoutTap ' +
      'TapNotOpened',
    'TT106 TapAddress':
      'AddressNotSet AddressRefused Failed LinkCollision LinkTaken LinkYielded NoLink NotSeen NotSet Set TapGone',
    'TT107 Engine':
      'Answering EngineSilent NoVm NotAsked NotNeeded NotSeen SocketForeign SocketMissing SocketOfAnother SocketPathTooLong ' +
      'SocketRefused SocketStale SocketSwapped VmEnded',
    'TT108 Guest':
      'AgentFailed AgentRefused AgentUnfit Failed FirewallBackendUnsupported GuestRefused HelperForbidden ' +
      'LinkCollision NoDockerd NoEngine NoTapNic NotManaged NotPrepared Prepared',
    'TT109 Routes':
      'Conflict Failed ForeignRoute NoEngine NoNetwork NoneRouted NotManaged NotSeen Pending ResolversUnknown ' +
      'RouteMisbound RouteRefused Set TableUnknown Yielded',
    'TT111 DataPath': 'Answering NoLink NotSeen NothingAnswers',
    'TT120 Names':
      'Ambiguous Answering Down Failed FileForeign FolderForeign NetworkNeeded NotManaged NotSeen NotServed NotTaken Starting',
    'TT121 Ipv6':
      'AddressNotRemoved AddressNotSet AddressRefused AddressUnusable Conflict Failed ForeignRoute GuestFailed ' +
      'LinkCollision LinkTaken LinkYielded NoLink NoWayBack NoneRouted NotByThisLink NotForwarding NotInVm NotManaged ' +
      'NotNeeded NotPrepared NotSeen NotSet NothingAnswers Pending ResolversUnknown RouteMisbound RouteRefused Set TableUnknown TapGone ' +
      'Yielded',
    'TT110 Ready': 'AddressNotRemoved DockerClosed DockerStays Down Failed Idle InterfaceUnknown Ready',
  });
});

test('what is not registered does not compile', () => {
  // @ts-expect-error: nobody's reason
  expect(entryOf('Shim', 'Forgotten' satisfies Reason)).toBeUndefined();
  // @ts-expect-error: a reason, but of another condition
  expect(entryOf('TapDevice', 'LinkTaken' satisfies ReasonOf<'TapDevice'>)).toBeUndefined();
  // @ts-expect-error: a condition without a number of its own
  const unnumbered: Topic = { question: 'Is it there?', reasons: {} };
  expect(unnumbered).toBeDefined();
});

test('what is asked for by a name that nobody has is nothing, whatever objects inherit', () => {
  for (const name of ['constructor', '__proto__', 'toString', '']) {
    expect(questionOf(name)).toBeUndefined();
    expect(entryOf(name, 'Failed')).toBeUndefined();
    expect(entryOf('Shim', name)).toBeUndefined();
  }
});

test('each condition has a number and a question of its own', () => {
  const topics = conditionTypes.map((type) => questionOf(type));
  expect(new Set(topics.map((topic) => topic?.code)).size).toBe(conditionTypes.length);
  expect(new Set(topics.map((topic) => topic?.question)).size).toBe(conditionTypes.length);
  for (const topic of topics) expect(topic?.question).toMatch(/^[A-Z].*\?$/);
});

test('each reason says what it means, in words of its own', () => {
  const meanings = registry.map(({ meaning }) => meaning);
  expect(new Set(meanings).size).toBe(registry.length);
  const unlike = registry.filter(
    ({ reason, meaning }) =>
      !/^[A-Z][A-Za-z]+$/.test(reason) ||
      !/^[^\n]{20,450}\.$/.test(meaning) ||
      meaning.split('`').length % 2 === 0 ||
      meaning.includes('  '),
  );
  expect(unlike.map(nameOf)).toEqual([]);
});

test('whatever does not pass by itself says what to do', () => {
  const silent = registry.filter(
    ({ severity, whatToDo = [] }) => ['degraded', 'persistent'].includes(severity) && whatToDo.length === 0,
  );
  expect(silent.map(nameOf)).toEqual([]);
  for (const { whatToDo = [] } of registry)
    for (const { text } of whatToDo) expect(text).toMatch(/^[A-Z][^\n]*[^.: ]$/);
});

const tap = { device: 'tap3', address: '10.9.0.1', peer: '10.9.0.2', network: '10.9.0.0/30' };
const commands = [
  ...new Set(
    registry.flatMap(({ whatToDo = [] }) => whatToDo.flatMap((remedy) => filled(remedy, tap).command ?? [])),
  ),
];

test.each(commands)('%s can be pasted as it is', async (command) => {
  expect(command).toMatch(
    /^(sudo )?(tuntapctl|\/usr\/libexec\/ApplicationFirewall\/socketfilterfw|ifconfig|route|netstat|scutil|ls|tailscale|docker|chown) [\w ./~:&-]+$/,
  );
  const [, words] = /^(?:sudo )?tuntapctl (.*)$/.exec(command) ?? [];
  if (words === undefined) return;
  const write = (): void => undefined;
  const io = { stdout: { write }, stderr: { write } } as unknown as Parameters<typeof main>[1];
  expect(await main([...words.split(' '), '--help'], io)).toBe(0);
  const keys = describeConfig().map(({ key }) => key);
  for (const [, key] of words.matchAll(/ set (\S+)/g)) expect(keys).toContain(key);
});

test('what a reason depends on is another condition, and no way leads back', () => {
  expect(conditionTypes).toEqual(
    expect.arrayContaining([...new Set(registry.flatMap((each) => each.dependsOn))]),
  );
  let left: readonly Entry[] = registry;
  for (let round = 0; round < conditionTypes.length; round += 1) {
    const types = left.map(({ type }) => type);
    left = left.filter(({ type }) =>
      left.some((other) => other.type === type && other.dependsOn.some((needed) => types.includes(needed))),
    );
  }
  expect(left.map(nameOf)).toEqual([]);
});

test('what sums everything up: what passes, what lasts, and what nothing helps against', () => {
  const named = (is: (entry: Entry) => boolean): readonly string[] => [
    ...new Set(
      registry
        .filter(is)
        .map(({ reason }) => reason)
        .toSorted(),
    ),
  ];
  expect(named(({ severity }) => severity === 'transient').join(' ')).toBe(
    'BeingReplaced BeingWritten KextNotLoaded NicNotSought NoEngine NotInstalled NotLaunched NotOwned NotPrepared ' +
      'NotSeen NotSet Pending RestartPending Starting',
  );
  expect(named(({ severity }) => severity === 'persistent').join(' ')).toBe(
    'AgentRefused AgentUnfit AppManagement ContextMissing ContextNotLocal DockerVmm FirewallBackendUnsupported ForeignRoute HelperForbidden Invalid ' +
      'KextNotApproved LinkCollision LinkTaken NoSharedNetwork NoSharedNic ReadOnly RestartNeeded SeveralNics ' +
      'TooManyBundles VirtualizationFramework',
  );
  expect(named(({ type, whatToDo = [] }) => type === 'Engine' && whatToDo.includes(restartRuntime))).toEqual([
    'EngineSilent',
    'SocketMissing',
    'SocketRefused',
    'SocketStale',
  ]);
  expect(named(({ isTerminal }) => isTerminal === true)).toEqual([
    'ContextMissing',
    'ContextNotLocal',
    'DockerVmm',
    'NoHyperkit',
    'VirtualizationFramework',
  ]);
});

describe('docs/troubleshooting.md', () => {
  const read = (): Promise<string> =>
    readFile(join(import.meta.dirname, '../../../docs/troubleshooting.md'), 'utf8');

  test('has what reference.ts makes of the registry', async () => {
    const page = await read();
    const [begin, end] = bounds;
    const [before = '', after = ''] = [page.split(begin)[0], page.split(end)[1]];
    expect(page).toBe(
      await format(`${before}${renderReasons()}${after}`, { parser: 'markdown', printWidth: 110 }),
    );
  });

  test('has a heading for each reason, and each of its links leads to one', async () => {
    const page = await read();
    const anchors = [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    );
    expect(new Set(anchors).size).toBe(anchors.length);
    for (const { type, reason } of registry) expect(anchors).toContain(`${type}-${reason}`.toLowerCase());
    for (const [, anchor] of page.matchAll(/\]\(#([^)]*)\)/g)) expect(anchors).toContain(anchor);
  });
});

const told = (type: string, reason: string, message = `${type} ${reason}`, status = 'False') => ({
  type,
  status,
  reason,
  message,
});

test.each<[string, ReturnType<typeof told>[], string, string | null]>([
  [
    'without a VM that alone is told, and nothing is wrong',
    [
      told('VirtualMachine', 'NotRunning'),
      told('TapAttached', 'NoVm'),
      told('TapAddress', 'NoLink'),
      told('Engine', 'NoVm'),
      told('Guest', 'NoEngine'),
      told('Routes', 'NoEngine'),
      told('DataPath', 'NoLink'),
      told('Ready', 'Idle'),
    ],
    'VirtualMachine',
    null,
  ],
  [
    'of an engine that is silent the rest follows, and the summary quotes it',
    [
      told('Engine', 'SocketStale', 'left over', 'Unknown'),
      told('Guest', 'NoEngine'),
      told('Routes', 'NoEngine'),
      told('DataPath', 'NoLink'),
      told('Ready', 'SocketStale', 'left over'),
    ],
    'Engine',
    'Engine',
  ],
  [
    'two causes are two',
    [
      told('TapDevice', 'KextMissing', 'no kext'),
      told('Shim', 'AppManagement'),
      told('Ready', 'KextMissing', 'no kext'),
    ],
    'TapDevice Shim',
    'TapDevice',
  ],
  [
    'a VM that was started without the tap is to be restarted whatever is with the shim',
    [told('Shim', 'Refused'), told('TapAttached', 'StartedWithoutTap'), told('TapAddress', 'NoLink')],
    'Shim TapAttached',
    'Shim',
  ],
  [
    'the same reason of two conditions: the user who cannot be seen is not why the table cannot',
    [
      told('ConsoleUser', 'NotSeen', 'scutil hangs', 'Unknown'),
      told('Routes', 'NotSeen', 'netstat hangs', 'Unknown'),
      told('Ready', 'NotSeen', 'netstat hangs'),
    ],
    'ConsoleUser Routes',
    'Routes',
  ],
  [
    'a VM that cannot be looked for because its user cannot',
    [
      told('ConsoleUser', 'NotSeen', 'scutil hangs', 'Unknown'),
      told('VirtualMachine', 'NotSeen', 'scutil hangs', 'Unknown'),
      told('TapAttached', 'NotSeen', 'scutil hangs', 'Unknown'),
      told('TapAddress', 'NotSeen', 'scutil hangs', 'Unknown'),
      told('Ready', 'NotSeen', 'scutil hangs'),
    ],
    'ConsoleUser',
    'ConsoleUser',
  ],
  [
    'what nothing helps against comes before what is missing besides',
    [
      told('TapDevice', 'KextMissing'),
      told('Shim', 'NoHyperkit', 'none'),
      told('Ready', 'NoHyperkit', 'none'),
    ],
    'TapDevice Shim',
    'Shim',
  ],
  [
    'but after a configuration that cannot be taken',
    [
      told('Configuration', 'Invalid'),
      told('Shim', 'NoHyperkit'),
      told('Ready', 'Invalid', 'Configuration Invalid'),
    ],
    'Configuration Shim',
    'Configuration',
  ],
  [
    'a step that no other condition is about is told by the summary',
    [told('VirtualMachine', 'NotRunning'), told('TapAttached', 'NoVm'), told('Ready', 'DockerClosed')],
    'VirtualMachine Ready',
    null,
  ],
  [
    'while tuntapd is removed the summary alone has the words of macOS',
    [told('Shim', 'Removed'), told('Ready', 'AppManagement', 'not permitted')],
    'Shim Ready',
    null,
  ],
  [
    'what a newer daemon says stands by itself',
    [told('Proxy', 'NotServed'), told('VirtualMachine', 'Paused'), told('TapAttached', 'NoVm')],
    'Proxy VirtualMachine',
    'VirtualMachine',
  ],
])('%s', (_what, unmet, shown, cause) => {
  const conditions = conditionTypes
    .filter((type) => !unmet.some((each) => each.type === type))
    .map((type) => told(type, 'Set', '', 'True'));
  const types = withoutConsequences([...unmet, ...conditions])
    .filter(({ status }) => status !== 'True')
    .map(({ type }) => type);
  expect(types.join(' ')).toBe(shown);
  expect(causeOf([...unmet, ...conditions])?.type ?? null).toBe(cause);
});
