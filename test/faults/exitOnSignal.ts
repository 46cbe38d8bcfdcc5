// Ctrl-C in the midst of the faults: the process ends by itself, so that the servers and disks of its own end with it.

/**
 * A process that a signal ends tells nobody of it, and its servers would run on; one that exits has its stack kill them.
 * Nothing is worth an orderly end: what is stored is of no use to anybody. The exit code is the launchers'.
 */
export function exitOnSignal(): void {
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));
}
