// The `lethe` command: each subcommand is loaded only when it is called, so that the small ones start at once.

import { readFileSync } from "node:fs";
import { Command } from "commander";
import { explain } from "./explain.ts";

type Load = () => Promise<Command>;

const commands: Record<string, { about: string; load: Load }> = {
	send: { about: "send a message through the API", load: async () => (await import("./send.ts")).sendCommand() },
	messages: {
		about: "list, find, show, cancel and read messages",
		load: async () => (await import("./messages.ts")).messagesCommand(),
	},
	login: { about: "sign in as a person", load: async () => (await import("./login.ts")).loginCommand() },
	logout: { about: "sign out", load: async () => (await import("./login.ts")).logoutCommand() },
	policy: {
		about: "see, decide by, propose, approve and publish policies",
		load: async () => (await import("./policy.ts")).policyCommand(),
	},
	evidence: {
		about: "read the evidence log, check it, export it",
		load: async () => (await import("./evidence.ts")).evidenceCommand(),
	},
	requests: {
		about: "record, carry out and answer what people ask for about their data",
		load: async () => (await import("./requests.ts")).requestsCommand(),
	},
	holds: {
		about: "place, list, approve, reject and release legal holds",
		load: async () => (await import("./holds.ts")).holdsCommand(),
	},
	"opt-outs": {
		about: "record, look up and lift opt-outs",
		load: async () => (await import("./optOuts.ts")).optOutsCommand(),
	},
	consents: {
		about: "record, look up and withdraw consents",
		load: async () => (await import("./consents.ts")).consentsCommand(),
	},
	templates: {
		about: "store, list, show and retire templates",
		load: async () => (await import("./templates.ts")).templatesCommand(),
	},
	webhooks: {
		about: "see and change where a tenant is told of its messages, and tell it again",
		load: async () => (await import("./webhooks.ts")).webhooksCommand(),
	},
	alerts: { about: "what needs a person now", load: async () => (await import("./alerts.ts")).alertsCommand() },
	"api-keys": {
		about: "see a tenant's API keys",
		load: async () => (await import("./apiKeys.ts")).apiKeysCommand(),
	},
	certificates: {
		about: "get erasure certificates, and the keys that check them",
		load: async () => (await import("./certificates.ts")).certificatesCommand(),
	},
	verify: {
		about: "check an erasure certificate, a receipt of sending or an evidence export offline",
		load: async () => (await import("./verify.ts")).verifyCommand(),
	},
	open: {
		about: "decrypt an end-to-end encrypted text",
		load: async () => (await import("./open.ts")).openCommand(),
	},
	keygen: {
		about: "make a key pair for end-to-end encrypted texts",
		load: async () => (await import("./keygen.ts")).keygenCommand(),
	},
	"recipient-keys": {
		about: "register, list and revoke what end-to-end encrypted texts are encrypted to",
		load: async () => (await import("./recipientKeys.ts")).recipientKeysCommand(),
	},
	carrier: {
		about: "check what a carrier sent: callbacks, segments, PDUs",
		load: async () => (await import("./carrier.ts")).carrierCommand(),
	},
	queue: {
		about: "see, set, pause, resume and drain the send queues",
		load: async () => (await import("./queue.ts")).queueCommand(),
	},
	limits: {
		about: "see and set where a tenant sends to, how fast and for how much",
		load: async () => (await import("./limits.ts")).limitsCommand(),
	},
	canary: {
		about: "send marked messages, then search every store, log and history for them",
		load: async () => (await import("./canary.ts")).canaryCommand(),
	},
	incident: {
		about: "find out what a breach gave away, of whom, and the law's clocks",
		load: async () => (await import("./incident.ts")).incidentCommand(),
	},
	restore: {
		about: "have a restored store forget again, then let it work",
		load: async () => (await import("./restore.ts")).restoreCommand(),
	},
	drill: {
		about: "rehearse a restore or a theft on a deployment of its own",
		load: async () => (await import("./drill.ts")).drillCommand(),
	},
	logs: {
		about: "read the processes' encrypted logs (needs the logreader role)",
		load: async () => (await import("./logs.ts")).logsCommand(),
	},
	doctor: {
		about: "check configuration, servers, clocks, keys and policies",
		load: async () => (await import("./doctor.ts")).doctorCommand(),
	},
	keys: {
		about: "list keys, rotate them, wrap anew what they wrap",
		load: async () => (await import("./keys.ts")).keysCommand(),
	},
	admin: {
		about: "prepare the stores; create, suspend and forget tenants; create send queues and API keys",
		load: async () => (await import("./admin.ts")).adminCommand(),
	},
};

/** Runs one command line; the exit code is 0 for success, 1 for a negative answer, 2 for misuse. */
export async function lethe(args: string[]): Promise<void> {
	const program = new Command("lethe")
		.description("Sends messages that it can prove it sent, and proves what it forgot.")
		.version(JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version);
	const words = args.filter((arg) => !arg.startsWith("-"));
	const named = words[0] === "help" ? words[1] : words[0];
	for (const [name, { about, load }] of Object.entries(commands)) {
		program.addCommand(name === named ? await load() : new Command(name).description(about));
	}
	setMisuse(program, "lethe");
	if (args.length === 0) program.help({ error: true });
	await program.parseAsync(args, { from: "user" });
}

/** Misuse of this command, and of those below it, is one line on standard error and exit code 2. */
function setMisuse(command: Command, name: string): void {
	command
		.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
		.configureOutput({
			outputError: (text, write) => {
				const [, why = ""] = /^(?:error: )?(.*?)\s*$/s.exec(text) ?? [];
				write(`${name}: ${why.replaceAll("\n", " ").replace(/\.?$/, ".")} See \`${name} --help\`.\n`);
			},
		});
	if (command.commands.length > 0) setUnnamed(command, name);
	for (const below of command.commands) setMisuse(below, `${name} ${below.name()}`);
}

/** A group of commands of which none is named is misuse, too: its whole help is for who asks for it. */
function setUnnamed(command: Command, name: string): void {
	const help = command.helpInformation.bind(command);
	const named = command.createHelp().visibleCommands(command);
	const names = named.map((below) => below.name()).join(", ");
	command.helpInformation = (context) =>
		context?.error ? `${name}: name a command: ${names}. See \`${name} --help\`.\n` : help(context);
}

// Whoever reads only the first lines has had enough; what was asked is not answered then.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
	if (error.code === "EPIPE") process.exit(process.exitCode ?? 2);
	fail(error);
});
// Of itself Node would end with 1, which is a command's negative answer.
process.on("uncaughtException", fail);
try {
	await lethe(process.argv.slice(2));
} catch (error) {
	fail(error);
}

function fail(error: unknown): never {
	process.stderr.write(`lethe: ${explain(error)}\n`);
	process.exit(2);
}
