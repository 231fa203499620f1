/** Whether containers answer through the link. Pure. */
import { type Judge, no, unclear, yes } from './condition.js';

export const dataPath: Judge<'DataPath'> = ({ observation, link, probe }) => {
  if (link.kind === 'unknown') return unclear(link.why);
  if (!probe) return no('NoLink', 'nothing to check before the rest is there');
  const { session, state, detail } = observation.dataPath;
  if (session !== probe.session) return unclear('not checked yet');
  switch (state) {
    case 'alive':
      return yes('Answering', detail);
    case 'unchecked':
      return unclear(detail);
    case 'silent':
      return no(
        'NothingAnswers',
        `link, firewall and routes look right, but not all that should answer does (${detail}). It is checked again each minute; ` +
          `\`tuntapctl restart\` sets everything up again. A container that lets nobody in by a firewall of its own looks the ` +
          `same, and so does a packet filter on this Mac (that of AnyConnect, Little Snitch): let it pass traffic on ${link.link?.interface ?? 'the link'}`,
      );
  }
};
