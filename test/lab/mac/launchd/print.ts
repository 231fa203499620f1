import { listStatus, waitStatus, type Service } from './service.js';

const block = (name: string, lines: readonly string[], depth = 1): string => {
  const indent = '\t'.repeat(depth);
  return [`${indent}${name} = {`, ...lines.map((line) => `${indent}\t${line}`), `${indent}}`].join('\n');
};

const pairs = (dict: Readonly<Record<string, string>>): string[] =>
  Object.entries(dict).map(([key, value]) => `${key} => ${value}`);

/** `launchctl print system/LABEL`, in the layout of macOS 14; `modern` false is that of 10.14 and 10.15. */
export function printService(service: Service, modern: boolean): string {
  const { job } = service;
  const pid = service.pid();
  const last = service.lastEnding();
  const lastExit =
    last === null
      ? '(never exited)'
      : last.code === 78 && modern
        ? '78: EX_CONFIG'
        : String(last.code ?? (modern ? listStatus(last) : waitStatus(last)));
  return [
    `${modern ? 'system/' : ''}${job.label} = {`,
    `\tactive count = ${pid === null ? 0 : 1}`,
    `\tpath = ${job.path}`,
    ...(modern ? ['\ttype = LaunchDaemon'] : []),
    `\tstate = ${service.state()}`,
    '',
    `\tprogram = ${job.program}`,
    block('arguments', job.args),
    '',
    ...(job.workingDirectory === null ? [] : [`\tworking directory = ${job.workingDirectory}`, '']),
    ...(job.stdoutPath === null ? [] : [`\tstdout path = ${job.stdoutPath}`]),
    ...(job.stderrPath === null ? [] : [`\tstderr path = ${job.stderrPath}`]),
    block('default environment', ['PATH => /usr/bin:/bin:/usr/sbin:/sbin']),
    '',
    block('environment', [...pairs(job.environment), `XPC_SERVICE_NAME => ${job.label}`]),
    '',
    `\tdomain = ${modern ? 'system' : 'com.apple.xpc.launchd.domain.system'}`,
    ...(job.userName === null ? [] : [`\tusername = ${job.userName}`]),
    `\tminimum runtime = ${job.throttle}`,
    `\texit timeout = ${job.exitTimeOut}`,
    `\truns = ${service.runs()}`,
    ...(pid === null ? [] : [`\tpid = ${pid}`, '\timmediate reason = speculative']),
    `\tlast exit code = ${lastExit}`,
    '',
    '\tspawn type = daemon (3)',
    '\tjetsam priority = 40',
    '}',
    '',
  ].join('\n');
}

/** `launchctl list`. */
export const listTable = (services: readonly Service[]): string =>
  [
    'PID\tStatus\tLabel',
    ...services.map(
      (service) =>
        `${String(service.pid() ?? '-')}\t${listStatus(service.lastEnding())}\t${service.job.label}`,
    ),
    '',
  ].join('\n');

/** `launchctl list LABEL`. */
export function listDict(service: Service): string {
  const { job } = service;
  const pid = service.pid();
  return [
    '{',
    ...(job.stdoutPath === null ? [] : [`\t"StandardOutPath" = "${job.stdoutPath}";`]),
    '\t"LimitLoadToSessionType" = "System";',
    ...(job.stderrPath === null ? [] : [`\t"StandardErrorPath" = "${job.stderrPath}";`]),
    `\t"Label" = "${job.label}";`,
    `\t"OnDemand" = ${String(job.keepAlive === false)};`,
    `\t"LastExitStatus" = ${waitStatus(service.lastEnding())};`,
    ...(pid === null ? [] : [`\t"PID" = ${pid};`]),
    `\t"Program" = "${job.program}";`,
    '\t"ProgramArguments" = (',
    ...job.args.map((arg) => `\t\t"${arg}";`),
    '\t);',
    '};',
    '',
  ].join('\n');
}

/** `launchctl print-disabled system`: booleans up to macOS 12, words from 13. */
export const printDisabled = (database: Readonly<Record<string, boolean>>, words: boolean): string =>
  [
    'disabled services = {',
    ...Object.entries(database).map(
      ([label, disabled]) =>
        `\t"${label}" => ${words ? (disabled ? 'disabled' : 'enabled') : String(disabled)}`,
    ),
    '}',
    '',
  ].join('\n');
