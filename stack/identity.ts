// Who a process id belongs to: ids are used again, so a remembered one counts only with the start of its process.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** A text that no other process on this machine ever shares; undefined when no such process runs. */
export function identify(pid: number): string | undefined {
	try {
		return process.platform === "linux" ? fromProc(pid) : fromPs(pid);
	} catch {
		return undefined;
	}
}

function fromProc(pid: number): string | undefined {
	const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
	// The name in parentheses may hold anything, so fields are counted behind it: state first, start time 20th.
	const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
		.replace(/^.*\) /s, "")
		.split(" ");
	return fields[0] === "Z" ? undefined : `${boot} ${pid} ${fields[19]}`;
}

function fromPs(pid: number): string | undefined {
	const text = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
	const [state = "Z", ...start] = text.split(/\s+/);
	return state.startsWith("Z") ? undefined : `${pid} ${start.join(" ")}`;
}
