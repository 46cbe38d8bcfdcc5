// What the processes themselves could leave behind: core dumps, Node's reports, traces; and memory that was swapped out.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { StackState } from "../../stack/stackFile.ts";

/** One look at the machine: `ok` false is a way out for content, or one that could not be looked at. */
export type Check = { check: string; ok: boolean; detail: string };

type Looked = { name: string; pid: number };

/** Flags by which Node writes what is in memory to a file, or lets others read it. */
const tellingFlags =
	/--(report-on-fatalerror|report-uncaught-exception|report-on-signal|heapsnapshot-[\w-]+|heap-prof|cpu-prof|inspect)\b/;
/** Files in which Node, or the kernel, writes what was in memory. */
const memoryFiles = /^(report\..*\.json|Heap.*\.heapsnapshot|.*\.(heapprofile|cpuprofile)|core(\.\d+)?)$/;

/** @param proc where the kernel tells of processes; only Linux does so in this form */
export function examineProcesses(stack: Pick<StackState, "servers" | "processes">, proc = "/proc"): Check[] {
	// The carrier is another company.
	const { carrier: _, ...ours } = stack.processes;
	const running = (entries: [string, { pid: number | null } | undefined][]): Looked[] =>
		entries.flatMap(([name, entry]) => (entry?.pid ? [{ name, pid: entry.pid }] : []));
	const processes = running(Object.entries(ours));
	const all = [...processes, ...running(Object.entries(stack.servers))];
	return [
		look("core dumps", () => examineCores(proc, all)),
		look("error reports", () => examineReports(proc, processes)),
		look("traces", () => examineTraces(proc, processes)),
		look("swap", () => examineSwap(proc)),
	];
}

function look(check: string, examine: () => Omit<Check, "check">): Check {
	try {
		return { check, ...examine() };
	} catch (error) {
		const { code, message } = error as NodeJS.ErrnoException;
		return { check, ok: false, detail: `can't be told on this system: ${code ?? message}` };
	}
}

function examineCores(proc: string, all: Looked[]): Omit<Check, "check"> {
	const dumping = all.filter(({ pid }) => {
		const line = /^Max core file size\s+(\S+)\s+(\S+)/m.exec(readFileSync(join(proc, `${pid}/limits`), "utf8"));
		return line?.[1] !== "0" || line[2] !== "0";
	});
	if (dumping.length > 0) return { ok: false, detail: `on for ${names(dumping)}: start them with \`ulimit -c 0\`` };
	const pattern = readFileSync(join(proc, "sys/kernel/core_pattern"), "utf8").trim();
	const handed = pattern.startsWith("|");
	const detail = `off for ${names(all)}`;
	// A program that the kernel hands dumps to is told of the limit, and is not bound by it.
	return {
		ok: true,
		detail: handed ? `${detail}; this machine hands dumps to ${pattern.slice(1).split(" ")[0]}` : detail,
	};
}

function examineReports(proc: string, processes: Looked[]): Omit<Check, "check"> {
	const telling = processes.filter(({ pid }) => {
		const options = environmentOf(proc, pid).get("NODE_OPTIONS") ?? "";
		return tellingFlags.test(`${readFileSync(join(proc, `${pid}/cmdline`), "utf8").replaceAll("\0", " ")} ${options}`);
	});
	const folders = new Set(processes.map(({ pid }) => readlinkSync(join(proc, `${pid}/cwd`))));
	const files = [...folders].flatMap((folder) => readdirSync(folder).filter((name) => memoryFiles.test(name)));
	if (telling.length > 0)
		return { ok: false, detail: `${names(telling)} may write what is in memory to a file, or be read` };
	if (files.length > 0) return { ok: false, detail: `files with what was in memory: ${files.slice(0, 5).join(", ")}` };
	return { ok: true, detail: `Node's reports, snapshots and debugger are off for ${names(processes)}` };
}

// No exporter is built in: only what is loaded from outside could make one.
function examineTraces(proc: string, processes: Looked[]): Omit<Check, "check"> {
	const traced = processes.filter(({ pid }) => {
		const environment = environmentOf(proc, pid);
		const isLoaded = /--(require|import|loader|experimental-loader)\b/.test(environment.get("NODE_OPTIONS") ?? "");
		return isLoaded || [...environment.keys()].some((name) => name.startsWith("OTEL_"));
	});
	if (traced.length > 0)
		return { ok: false, detail: `${names(traced)} may send traces elsewhere, which is not searched` };
	return { ok: true, detail: "off: nothing exports any" };
}

function examineSwap(proc: string): Omit<Check, "check"> {
	const [, ...rows] = readFileSync(join(proc, "swaps"), "utf8").trim().split("\n");
	if (rows.length === 0) return { ok: true, detail: "there is none" };
	const areas = rows.map((row) => row.split(/\s+/)[0]).join(", ");
	return { ok: true, detail: `NOTE: on (${areas}): what was in memory may be there in clear, unless it is encrypted` };
}

function environmentOf(proc: string, pid: number): Map<string, string> {
	const entries = readFileSync(join(proc, `${pid}/environ`), "utf8").split("\0");
	return new Map(entries.map((entry) => [entry.split("=")[0] ?? "", entry.slice(entry.indexOf("=") + 1)]));
}

function names(looked: Looked[]): string {
	return looked.length > 0 ? looked.map(({ name }) => name).join(", ") : "none, for none runs here";
}
