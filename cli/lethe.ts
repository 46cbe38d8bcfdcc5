// The `lethe` command: each subcommand is loaded only when it is called, so that the small ones start at once.

import { Command } from "commander";

type Load = () => Promise<Command>;

const commands: Record<string, { about: string; load: Load }> = {
	send: { about: "send a message through the API", load: async () => (await import("./send.ts")).sendCommand() },
	policy: {
		about: "decide by the published policy packs",
		load: async () => (await import("./policy.ts")).policyCommand(),
	},
	verify: {
		about: "check an erasure certificate offline",
		load: async () => (await import("./verify.ts")).verifyCommand(),
	},
	canary: {
		about: "send marked messages, then search every store, log and history for them",
		load: async () => (await import("./canary.ts")).canaryCommand(),
	},
	doctor: {
		about: "check configuration, servers, clocks, keys and policies",
		load: async () => (await import("./doctor.ts")).doctorCommand(),
	},
	admin: {
		about: "create tenants, send queues and API keys",
		load: async () => (await import("./admin.ts")).adminCommand(),
	},
};

/** Runs one command line; the exit code is 0 for success, 1 for a negative answer, 2 for misuse. */
export async function lethe(args: string[]): Promise<void> {
	const program = new Command("lethe")
		.description("Sends messages that it can prove it sent, and proves what it forgot.")
		.configureOutput({ outputError: (text, write) => write(text) })
		.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
	const named = args.find((arg) => !arg.startsWith("-"));
	for (const [name, { about, load }] of Object.entries(commands)) {
		program.addCommand(name === named ? await load() : new Command(name).description(about));
	}
	for (const command of program.commands) command.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
	if (!named) {
		program.outputHelp();
		process.exitCode = args.length === 0 ? 2 : 0;
		return;
	}
	await program.parseAsync(args, { from: "user" });
}

try {
	await lethe(process.argv.slice(2));
} catch (error) {
	const { code, message } = error as { code?: string; message?: string };
	process.stderr.write(`lethe: ${message ?? code ?? "failed"}\n`);
	process.exitCode = 2;
}
