// `lethe incident`: what a breach of a store gave away, of whom, and whom the law has told by when.

import { Command, InvalidArgumentError, Option } from "commander";
import { addExamples } from "./examples.ts";
import { exposedStores, type Scope, scopeIncident } from "./incident/scope.ts";
import { parseTime } from "./records.ts";
import { exitCodes, run } from "./run.ts";
import { adminDeps } from "./target.ts";
import { writeNew } from "./writeNew.ts";

type Options = { store: (typeof exposedStores)[number][]; at: number; aware?: number; out?: string; json?: boolean };

/** Exit 0: nothing personal was readable; 1: something was; 2: it can't be told. */
export function incidentCommand(): Command {
	const incident = new Command("incident").description("Find out what a breach gave away (needs the admin role).");
	incident
		.command("scope")
		.description(
			"List whom a copy of one or more stores at a time concerns, which keys it exposed, and the law's clocks.",
		)
		.addOption(
			new Option("--store <name...>", "what was copied; several when all of them were")
				.choices(exposedStores)
				.makeOptionMandatory(),
		)
		.requiredOption("--at <time>", "when, RFC 3339", parseAt)
		.option("--aware <time>", "when somebody became aware of it, RFC 3339 (default: now)", parseAt)
		.option("--out <file>", "write every subject and key there, one JSON object a line")
		.option("--json", "print the scope as JSON")
		.action((options: Options) => run("incident scope", () => tellScope(options)));
	return addExamples(incident, examples);
}

const examples = {
	scope: "lethe incident scope --store mongodb vault --at 2026-11-26T09:00:00Z --out scope.ndjson",
};

async function tellScope({ out, json, ...asked }: Options): Promise<number> {
	let [told, exitCode]: [string, number] = ["", exitCodes.yes];
	const find = async () => {
		const scope = await findScope(asked);
		told = json ? `${JSON.stringify(shortened(scope), null, 2)}\n` : describe(scope);
		if (scope.readable) exitCode = exitCodes.no;
		else if (isUntold(scope)) exitCode = exitCodes.misuse;
		return linesOf(scope);
	};
	// A file that is there is told before the records are read, and kept.
	if (out === undefined) await find();
	else await writeNew(out, find, privateFile);
	process.stdout.write(told);
	return exitCode;
}

async function findScope({ store: stores, at, aware }: Pick<Options, "store" | "at" | "aware">): Promise<Scope> {
	const deps = await adminDeps();
	try {
		// Entered before it is answered: who was concerned is read from records.
		await deps.evidence.append([{ type: "searched", code: "incident_scope", by: "admin" }]);
		return await scopeIncident(deps, { stores, at, awareAt: aware ?? deps.clock() });
	} finally {
		await deps.close();
	}
}

/** Whether what nobody can read of the records could have been read in such a copy. */
function isUntold({ stores, unreadable }: Scope): boolean {
	return unreadable.length > 0 && stores.includes("mongodb") && stores.includes("vault");
}

const privateFile = 0o600;
const listedMax = 1_000;

/** So many lines at once: of millions no text is made, nor is each written by itself. */
function* linesOf({ subjects, keys, unreadable }: Scope): Iterable<string> {
	for (const entries of [subjects, keys, unreadable]) {
		for (let start = 0; start < entries.length; start += listedMax) {
			const some = entries.slice(start, start + listedMax);
			yield some.map((entry) => `${JSON.stringify(entry)}\n`).join("");
		}
	}
}

/** What fits a terminal or a ticket; `--out` has the rest. */
function shortened(scope: Scope) {
	const { subjects, keys, unreadable } = scope;
	const some = {
		subjects: subjects.slice(0, listedMax),
		keys: keys.slice(0, listedMax),
		unreadable: unreadable.slice(0, listedMax),
	};
	const leftOut = {
		subjects: subjects.length - some.subjects.length,
		keys: keys.length - some.keys.length,
		unreadable: unreadable.length - some.unreadable.length,
	};
	return { ...scope, ...some, leftOut };
}

function describe(scope: Scope): string {
	const { stores, at, readable, counts, clocks, subjects, unreadable, limits, finding } = scope;
	const lines = [
		`A copy of ${stores.join(" and ")} as of ${at}: ${readable ? "READABLE" : "not readable"}. ${finding}`,
		`  ${counts.subjects} subject(s), ${counts.messages} message(s); content or number of ${counts.sealedMessages} of them was there, encrypted`,
		`  ${counts.residueMessages} more may be in what the store had not overwritten yet`,
		`  cohort keys: ${counts.keysExposed} exposed, ${counts.keysResidue} perhaps in remains, ${counts.keysSafe} safe, ${counts.keysGone} gone before`,
		"Subjects, by pseudonym:",
		...subjects.slice(0, 20).map(subjectLine),
		...(subjects.length > 20 ? [`  … and ${subjects.length - 20} more: --json or --out`] : []),
		"Clocks:",
		...(clocks.length > 0 ? clocks.map(clockLine) : ["  none of the packs that these messages were judged by has one"]),
		...(unreadable.length > 0
			? [`Records that can't be read; what was erased of these messages before is not in this:`]
			: []),
		...unreadable.slice(0, 20).map(({ tenantId, messageId }) => `  ${tenantId} ${messageId}`),
		...(unreadable.length > 20 ? [`  … and ${unreadable.length - 20} more: --json or --out`] : []),
		...limits.map((limit) => `Not in this: ${limit}`),
	];
	return `${lines.join("\n")}\n`;
}

function subjectLine({ tenantId, subject, messages, sealed, readable }: Scope["subjects"][number]): string {
	return `  ${tenantId} ${subject}  ${messages} message(s), ${sealed} encrypted there, ${readable} readable`;
}

function clockLine({ rule, citations, toSubjectsAtHighRisk, ...clock }: Scope["clocks"][number]): string {
	const words = { toAuthority: "authority", toController: "controller", toSubjects: "subjects" } as const;
	const dues = Object.entries(words).flatMap(([field, word]) => {
		const due = clock[field as keyof typeof words];
		return due === undefined ? [] : [`${word} by ${due}`];
	});
	if (toSubjectsAtHighRisk) dues.push("subjects without undue delay, if the risk to them is high");
	const note = clock.note === undefined ? "" : `\n      ${clock.note}`;
	return `  ${rule}: ${dues.join(", ")} (${citations.join("; ")})${note}`;
}

/** Epoch milliseconds. Of a slip that lies ahead the law's clocks would begin too late, and what was there then nobody knows. */
function parseAt(text: string): number {
	const at = Date.parse(parseTime(text));
	if (at <= Date.now()) return at;
	throw new InvalidArgumentError("It lies in the future.");
}
