/** What is counted, in the text format of Prometheus (exposition format 0.0.4). Pure. */
import { phaseSchema, routeSchema, type Status } from '../api/messages.js';

/** Since this life of the daemon, or its present configuration, began. */
export interface Counters {
  readonly passes: number;
  /** Seconds that all of them took. */
  readonly passSeconds: number;
  readonly steps: readonly {
    readonly kind: string;
    readonly outcome: 'done' | 'failed';
    readonly count: number;
  }[];
  /** Different VMs that were seen. */
  readonly vms: number;
}

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

const escaped = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

function family(name: string, type: 'gauge' | 'counter', help: string, samples: readonly Sample[]): string[] {
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(([labels, value]) => {
      const told = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
      return `${name}${told.length > 0 ? `{${told.join(',')}}` : ''} ${value}`;
    }),
  ];
}

const one = (is: boolean): number => (is ? 1 : 0);

/** What a status says in numbers. */
function ofStatus({ version, since, phase, conditions, routes, containers, link }: Status): string[] {
  const states = routeSchema.shape.state.options;
  return [
    ...family('tuntapd_info', 'gauge', 'The version that runs.', [[{ version }, 1]]),
    ...family('tuntapd_start_time_seconds', 'gauge', 'When the daemon started.', [
      [{}, Date.parse(since) / 1000],
    ]),
    ...family(
      'tuntapd_phase',
      'gauge',
      'The one word that sums everything up.',
      phaseSchema.options.map((each): Sample => [{ phase: each }, one(each === phase)]),
    ),
    ...family(
      'tuntapd_condition',
      'gauge',
      'Conditions: 1 True, 0 False, -1 Unknown.',
      conditions.map(({ type, status, reason }): Sample => [
        { type, reason },
        status === 'Unknown' ? -1 : one(status === 'True'),
      ]),
    ),
    ...family(
      'tuntapd_routes',
      'gauge',
      'Subnets of Docker’s networks by what became of them.',
      states.map((state): Sample => [{ state }, routes.filter((route) => route.state === state).length]),
    ),
    ...(containers
      ? family('tuntapd_containers', 'gauge', 'Containers that run.', [[{}, containers.length]])
      : []),
    ...(link?.roundTrip === undefined
      ? []
      : family(
          'tuntapd_round_trip_seconds',
          'gauge',
          'The fastest answer over the link that was heard last.',
          [[{}, link.roundTrip / 1000]],
        )),
  ];
}

/** All of it; without a status, before the first look, what is counted alone. */
export function metricsText(status: Status | null, { passes, passSeconds, steps, vms }: Counters): string {
  const lines = [
    ...(status ? ofStatus(status) : []),
    ...family('tuntapd_passes_total', 'counter', 'Looks at the Mac, each with its steps.', [[{}, passes]]),
    ...family('tuntapd_pass_seconds_total', 'counter', 'Seconds that they took.', [[{}, passSeconds]]),
    ...family(
      'tuntapd_steps_total',
      'counter',
      'Steps that were taken; prepare-guest and release-guest run the helper in the VM.',
      steps.map(({ kind, outcome, count }): Sample => [{ kind, outcome }, count]),
    ),
    ...family('tuntapd_vms_total', 'counter', 'Different VMs of Docker’s that were seen.', [[{}, vms]]),
  ];
  return `${lines.join('\n')}\n`;
}
