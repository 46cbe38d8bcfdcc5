// `lethe limits`: where a tenant's messages may go, how fast and for how much, as operators see and set it.

import { Command, InvalidArgumentError, Option } from "commander";
import { anywhere } from "../domain/abuse.ts";
import { categories } from "../domain/message.ts";
import {
	type ByCountry,
	changeByCountry,
	collectByCountry,
	orNone,
	orNull,
	parseCountry,
	parseCountryOrAll,
	parseSegmentsPerSecond,
	parseTakenAway,
} from "./byCountry.ts";
import { addExamples } from "./examples.ts";
import { call, type TargetOptions, withTarget } from "./policy/call.ts";
import { exitCodes, Refusal, run } from "./run.ts";

type Amounts = { segments?: number; cost?: number };
type Budget = { day?: Amounts; month?: Amounts };
type Velocity = {
	messagesMax: number;
	windowSeconds: number;
	mode: "monitor" | "enforce";
	exempt?: Record<string, string | null>;
};
type Limits = {
	destinations: string[];
	regions?: string[];
	ratePerSecond?: number;
	countryRates?: Record<string, number>;
	refuseHopeless?: string[];
	budgets?: Record<string, Budget>;
	velocity: Velocity;
	spent: { country: string; day?: Required<Amounts>; month: Required<Amounts> }[];
};

type Budgeted = { country: string; period: "day" | "month"; unit: "segments" | "cost"; limit: number | undefined };
type SetOptions = TargetOptions & {
	allow?: string[];
	disallow?: string[];
	region?: string[];
	rate?: number | "none";
	countryRate?: ByCountry<number>;
	refuseHopeless?: string[];
	budget?: Budgeted[];
	velocity?: Pick<Velocity, "messagesMax" | "windowSeconds">;
	velocityMode?: Velocity["mode"];
	exempt?: Record<string, string | null>;
	unexempt?: string[];
};

const path = "/v1/sending-limits";

/** Exit 0: done; 1: refused; 2: misuse. What it changes is kept in the store. */
export function limitsCommand(): Command {
	const command = new Command("limits").description("see and set where a tenant sends to, how fast and for how much");
	command.addCommand(
		withTarget(new Command("show").description("show the limits, and what was spent today and this month")).action(
			(options: TargetOptions) =>
				run("limits show", async () => print(await call<Limits>(options, path), options.json)),
		),
	);
	const set = new Command("set")
		.description("change some of them; the others stay")
		.option("--allow <country...>", "send to these countries too, ISO 3166-1, or `*`", collectCountry)
		.option("--disallow <country...>", "send there no more")
		.option("--region <name...>", "process in these regions only; `any` for all")
		.option(
			"--rate <number>",
			"segments a second on all send queues together; `none` removes",
			orNone(parseSegmentsPerSecond),
		)
		.option(
			"--country-rate <rate...>",
			"segments a second to a country, as in DE=10; `none` removes",
			collectByCountry("DE=10", parseSegmentsPerSecond),
		)
		.addOption(
			new Option("--refuse-hopeless <category...>", "end these at once when the queue outlasts their deadline").choices(
				categories,
			),
		)
		.option(
			"--budget <limit...>",
			"as in DE/day/segments=1000 or */month/cost=250.5; `none` removes: what is beyond is refused",
			collectBudget,
		)
		.option("--velocity <messages/seconds>", "to numbers with the same country and first four digits", parseVelocity)
		.addOption(new Option("--velocity-mode <mode>", "watch, or refuse").choices(["monitor", "enforce"]))
		.option(
			"--exempt <range...>",
			"let DE, or DE:1512, pass for good, or as in DE=2026-12-01T00:00:00Z until a time",
			collectExempt,
		)
		.option("--unexempt <range...>", "end such an exemption");
	command.addCommand(
		withTarget(set).action((options: SetOptions) =>
			run("limits set", async () => {
				const change = toChange(await call<Limits>(options, path), options);
				if (Object.keys(change).length === 0) throw new Refusal("nothing is to be changed: name an option.");
				return print(await call<Limits>(options, path, change), options.json);
			}),
		),
	);
	return addExamples(command, examples);
}

const examples = {
	show: "lethe limits show --json",
	set: "lethe limits set --allow DE FR --budget DE/day/segments=1000 --velocity 300/600",
};

/** Only what is to change. @throws Refusal for what would have no effect */
function toChange(now: Limits, options: SetOptions): Record<string, unknown> {
	const { region, rate, countryRate, refuseHopeless, budget } = options;
	return {
		...withDestinations(now.destinations, options),
		...(region && { regions: region.includes("any") ? null : region }),
		...(rate !== undefined && { ratePerSecond: rate === "none" ? null : rate }),
		...(countryRate && { countryRates: changeByCountry(now.countryRates, countryRate) }),
		...(refuseHopeless && { refuseHopeless }),
		...(budget && { budgets: orNull(withBudgets(now.budgets, budget)) }),
		...withVelocity(now.velocity, options),
	};
}

function withDestinations(now: string[], { allow = [], disallow = [] }: SetOptions) {
	if (allow.length + disallow.length === 0) return {};
	const taken = disallow.map((code) => parseTakenAway(code, now));
	const destinations = [...new Set([...now, ...allow])].filter((code) => !taken.includes(code));
	// Who closes a country has to know that it stays open.
	if (disallow.length > 0 && destinations.includes(anywhere)) {
		throw new Refusal(
			`\`*\` still allows ${disallow.join(", ")}: take it away with --disallow '*' and allow the countries that remain.`,
		);
	}
	return { destinations };
}

function withBudgets(now: Limits["budgets"] = {}, given: Budgeted[]): Record<string, Budget | undefined> {
	const budgets: Record<string, Budget | undefined> = structuredClone(now);
	for (const { country, period, unit, limit } of given) {
		if (limit === undefined) parseTakenAway(country, Object.keys(now));
		const known = budgets[country] ?? {};
		const amounts = orNull({ ...known[period], [unit]: limit });
		budgets[country] = orNull({ ...known, [period]: amounts ?? undefined }) ?? undefined;
	}
	return budgets;
}

function withVelocity(now: Velocity, { velocity, velocityMode, exempt, unexempt = [] }: SetOptions) {
	if (!velocity && !velocityMode && !exempt && unexempt.length === 0) return {};
	const ranges = Object.entries({ ...now.exempt, ...exempt }).filter(([range]) => !unexempt.includes(range));
	const { exempt: _, ...rest } = now;
	const kept = ranges.length > 0 ? { exempt: Object.fromEntries(ranges) } : {};
	return { velocity: { ...rest, ...velocity, ...(velocityMode && { mode: velocityMode }), ...kept } };
}

function print(limits: Limits, json: boolean | undefined): number {
	if (json) console.log(JSON.stringify(limits, null, 2));
	else for (const line of linesOf(limits)) console.log(line);
	return exitCodes.yes;
}

function linesOf(limits: Limits): string[] {
	const { destinations, regions, ratePerSecond, countryRates = {}, refuseHopeless, budgets = {}, velocity } = limits;
	const list = (some: string[] | undefined, none: string) => (some?.length ? some.join(" ") : none);
	const rates = Object.entries(countryRates).map(([country, rate]) => `${country} ${rate}`);
	const amounts = Object.entries(budgets).flatMap(([country, budget]) =>
		Object.entries(budget).flatMap(([period, of]) =>
			Object.entries(of).map(([unit, limit]) => `${country}/${period}/${unit}=${limit}`),
		),
	);
	const exempt = Object.entries(velocity.exempt ?? {}).map(([range, until]) => (until ? `${range}=${until}` : range));
	const spent = limits.spent.map(
		({ country, day, month }) =>
			`${country} today ${day?.segments ?? 0} segments ${day?.cost ?? 0}, this month ${month.segments} segments ${month.cost}`,
	);
	return [
		`destinations  ${list(destinations, "none: nothing is sent")}`,
		`regions       ${list(regions, "any")}`,
		`rate          ${ratePerSecond ? `${ratePerSecond} segments/s` : "that of its queues"}  ${rates.join(" ")}`.trimEnd(),
		`hopeless      ${list(refuseHopeless, "otp")}`,
		`budgets       ${list(amounts, "none")}`,
		`velocity      ${velocity.messagesMax} in ${velocity.windowSeconds} s, ${velocity.mode}  ${exempt.join(" ")}`.trimEnd(),
		...spent.map((line) => `spent         ${line}`),
	];
}

function collectCountry(code: string, before: string[] = []): string[] {
	return [...before, parseCountryOrAll(code)];
}

function collectBudget(text: string, before: Budgeted[] = []): Budgeted[] {
	const found = /^([^/]+)\/(day|month)\/(segments|cost)=(none|\d{1,12}(?:\.\d{1,6})?)$/.exec(text);
	if (!found) throw new InvalidArgumentError("Give it as in DE/day/segments=1000.");
	const [, country = "", period, unit, limit] = found as unknown as [string, string, "day", "segments", string];
	// What is taken away is looked for among what stands.
	if (limit === "none") return [...before, { country, period, unit, limit: undefined }];
	return [...before, { country: parseCountryOrAll(country), period, unit, limit: Number(limit) }];
}

function parseVelocity(text: string): Pick<Velocity, "messagesMax" | "windowSeconds"> {
	const [, messages, seconds] = /^(\d{1,9})\/(\d{2,5})$/.exec(text) ?? [];
	if (!messages) throw new InvalidArgumentError("Give messages and seconds as in 300/600.");
	return { messagesMax: Number(messages), windowSeconds: Number(seconds) };
}

function collectExempt(text: string, before: Record<string, string | null> = {}): Record<string, string | null> {
	const [, range, until] = /^([A-Z]{2}(?::\d{1,4})?)(?:=(\S+))?$/.exec(text) ?? [];
	if (!range || (until !== undefined && Number.isNaN(Date.parse(until)))) {
		throw new InvalidArgumentError("Give a range as in DE or DE:1512, and a time as in 2026-12-01T00:00:00Z.");
	}
	parseCountry(range.slice(0, 2));
	return { ...before, [range]: until ?? null };
}
