/**
 * Keeps SIGUSR1 from opening Node's inspector, which runs whatever a local client sends it, in this process and with
 * its privacy grants. To be imported first by every program. The kernel lets only root signal a process that root
 * started, so the time before this line is nobody's, as long as root is given up after it. A listener does this in
 * every version of Node; `--disable-sigusr1` is unknown to Node 20.
 */
process.on('SIGUSR1', () => undefined);
