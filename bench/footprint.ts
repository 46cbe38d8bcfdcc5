// What the engine and its servers take of the machine: memory by process, disk by server.

import type { Stack } from "../stack/stack.ts";
import { bytesIn, residentBytes } from "./measure.ts";

/** Lethe's own processes by name, with their ids; the simulated carrier is none of them. */
export function ownPids(stack: Stack): Record<string, number | null> {
	const { carrier: _, ...own } = stack.state().processes;
	return Object.fromEntries(Object.entries(own).map(([name, { pid }]) => [name, pid]));
}

/** Resident memory, of Lethe's processes together and each, and of the servers; null where it is not told. */
export function memoryOf(stack: Stack) {
	const { servers } = stack.state();
	const of = (pids: [string, number | null][]) =>
		Object.fromEntries(pids.map(([name, pid]) => [name, pid === null ? null : residentBytes(pid)]));
	const lethe = of(Object.entries(ownPids(stack)));
	const letheBytes = Object.values(lethe).reduce<number>((total, bytes) => total + (bytes ?? Number.NaN), 0);
	return { letheBytes, lethe, servers: of(Object.entries(servers).map(([name, { pid }]) => [name, pid])) };
}

/** Server → bytes of its data folder, of those that this stack runs. */
export function dataBytes(stack: Stack): Record<string, number> {
	const entries = Object.entries(stack.state().servers);
	return Object.fromEntries(entries.flatMap(([name, { dataDir }]) => (dataDir ? [[name, bytesIn(dataDir)]] : [])));
}
