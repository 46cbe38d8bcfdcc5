// What the commands over the API's records share: lists page by page, a record a line, numbers that no shell remembers.

import { type Command, InvalidArgumentError } from "commander";
import { readGiven } from "./ask.ts";
import { addExample } from "./examples.ts";
import { call, type TargetOptions, withAct, withTarget } from "./policy/call.ts";
import { exitCodes, run } from "./run.ts";

type Page<Item> = { items: Item[]; next?: string };
type ListSettings<Item> = {
	path: (id?: string) => string;
	line: (item: Item) => string;
	example: string;
	filters?: readonly string[];
	ofNumber?: boolean;
};
type ListOptions = TargetOptions & { limit: string; cursor?: string } & Record<string, string | undefined>;

/** Adds what every such command has: where it goes, and how it is called. */
export function withExample(command: Command, example: string): Command {
	return addExample(withTarget(command), example);
}

/**
 * A list, newest first: a line an item, and on standard error how to go on, or that there is none.
 * @param path of the API, from the command's argument where it has one
 * @param filters options of the command that the route takes in its query by the same name
 * @param ofNumber whether it is of a number, which the route takes in its body and nowhere else
 */
export function listOf<Item>(
	command: Command,
	{ path, line, example, filters = [], ofNumber = false }: ListSettings<Item>,
): Command {
	const read = async (id: string | undefined, options: ListOptions) => {
		const { limit, cursor } = options;
		const chosen = filters.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]] as const]));
		const query = new URLSearchParams({
			limit,
			...Object.fromEntries(chosen),
			...(cursor !== undefined && { cursor }),
		});
		const body = ofNumber ? { number: await readNumber(options.number as string) } : undefined;
		const page = await call<Page<Item>>(options, `${path(id)}?${query}`, body);
		show(options, page, ({ items }) => items.map(line));
		// A page of a list that is more than it shows may have none.
		if (!page.next) sayNone(options, page.items);
		const again = [
			nameOf(command),
			id,
			ofNumber && "--number -",
			...chosen.map(([name, value]) => `--${name} ${value}`),
		]
			.filter(Boolean)
			.join(" ");
		if (page.next && !options.json) console.error(`more: lethe ${again} --cursor ${page.next}`);
	};
	if (ofNumber) command.requiredOption("--number <number>", numberHelp);
	return withExample(command, example)
		.option("--limit <count>", "how many, at most 100", "20")
		.option("--cursor <cursor>", "go on after a list that had more")
		.action((...given: unknown[]) => {
			const [id, options] = given.length > 2 ? (given as [string, ListOptions]) : [undefined, given[0] as ListOptions];
			return act(nameOf(command), () => read(id, options));
		});
}

/** A step of one record, called as its route is; by its id. @param of what the record is, in a word or two */
export function stepOf<Item>(
	command: Command,
	{ base, of, lines, example }: { base: string; of: string; lines: (item: Item) => string[]; example: string },
): Command {
	return addExample(withAct(command), example)
		.argument("<id>", `the ${of}'s id`)
		.action((id: string, options: TargetOptions) =>
			act(nameOf(command), async () => {
				show(options, await call<Item>(options, `${base}/${encodeURIComponent(id)}/${command.name()}`, {}), lines);
			}),
		);
}

/** Exit 0 once it is done; a refusal of the API's is one line. @param name as it was called, below `lethe` */
export async function act(name: string, does: () => Promise<void>): Promise<void> {
	await run(name, async () => {
		await does();
		return exitCodes.yes;
	});
}

/** Prints an answer as JSON where that was asked for, else as lines. */
export function show<Answer>({ json }: TargetOptions, answer: Answer, lines: (answer: Answer) => string[]): void {
	if (json) console.log(JSON.stringify(answer, null, 2));
	else for (const line of lines(answer)) console.log(line);
}

/** Says of an empty list that it is one: nothing at all might as well be a fault. */
export function sayNone({ json }: TargetOptions, items: readonly unknown[]): void {
	if (items.length === 0 && !json) console.error("none");
}

/** The number that an option gives; `-` has it asked for. */
export function readNumber(given: string): Promise<string> {
	return readGiven(given, "Number (E.164): ");
}

/** How `--number` is described wherever it stands. */
export const numberHelp = "the number, E.164; `-` asks for it, so that no shell remembers it";

/** An option's time. With its offset: without one it would be another time on each machine, and the API refuses it. */
export function parseTime(text: string): string {
	const isTime = /^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(Date.parse(text));
	// Of 30 February the runtime makes 2 March.
	const isDay = isTime && new Date(text.slice(0, 10)).getUTCDate() === Number(text.slice(8, 10));
	if (isDay) return text;
	throw new InvalidArgumentError("Give a time of RFC 3339 such as 2026-11-26T09:00:00Z.");
}

function nameOf(command: Command): string {
	const { parent } = command;
	return parent?.parent ? `${parent.name()} ${command.name()}` : command.name();
}
