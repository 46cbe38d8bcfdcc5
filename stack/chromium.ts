// A Chromium for tests, benchmarks and pictures of pages: the system's own, put there by its package manager where that may be done.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { type Browser, chromium as launcher } from "playwright-core";
import { findOnPath } from "./sources.ts";

// The first that is there.
const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
const installMsMax = 5 * 60_000;
// It speaks to nobody but who is asked for, and leaves nothing behind.
const flags = [
	...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
	...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];

/** Starts a browser without a window. @throws Error that names the mend where there is none and none can be installed */
export async function startChromium(): Promise<Browser> {
	return launcher.launch({ executablePath: findChromium(), args: flags, headless: true });
}

function findChromium(): string {
	const found = onPath();
	if (found !== undefined) return found;
	if (process.getuid?.() !== 0 || !existsSync("/etc/debian_version")) {
		throw new Error(
			"There is no Chromium on PATH: install it with your system's package manager, then run this again.",
		);
	}
	console.error("Installing chromium by apt-get: pages are tried in a real browser, and there is none on PATH.");
	install();
	const installed = onPath();
	if (installed === undefined) throw new Error("apt-get installed no chromium: install one, and put it on PATH.");
	return installed;
}

function install(): void {
	const options = { stdio: "ignore", timeout: installMsMax } as const;
	const packages = ["install", "-y", "--no-install-recommends", "chromium"];
	try {
		execFileSync("apt-get", packages, options);
	} catch {
		// Lists may be older than what the archive has.
		try {
			execFileSync("apt-get", ["update"], options);
			execFileSync("apt-get", packages, options);
		} catch {
			throw new Error("apt-get can't install chromium: does it reach its archive? Or install one, and put it on PATH.");
		}
	}
}

function onPath(): string | undefined {
	return names.flatMap((name) => findOnPath(name, process.env.PATH ?? "") ?? [])[0];
}
