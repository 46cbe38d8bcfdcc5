// `lethe queue`: the send queues as operators see, stop and start them.

import { Command } from "commander";
import { call, type TargetOptions, withTarget } from "./policy/call.ts";
import { exitCodes, run } from "./policy/run.ts";

type Queue = {
	id: string;
	carrier: string;
	sender: string;
	state: string;
	limitPerSecond?: number;
	backlog: number;
	live?: { waiting: number; delayed: number; active: number; segmentsPerSecond: number };
};

const steps = {
	pause: "send nothing from a queue until it is resumed",
	resume: "send from a queue again",
	drain: "send what a queue has, and route nothing new to it",
} as const;

/** Exit 0: done; 1: refused; 2: misuse. What they change is kept in the store. */
export function queueCommand(): Command {
	const queue = new Command("queue").description("see, pause, resume and drain the send queues");
	queue.addCommand(
		withTarget(new Command("list").description("list the queues, how full they are and how fast")).action(
			(options: TargetOptions) => run("queue list", () => list(options)),
		),
	);
	for (const [name, description] of Object.entries(steps)) {
		queue.addCommand(
			withTarget(new Command(name).description(description).argument("<queue>", "its id")).action(
				(id: string, options: TargetOptions) => run(`queue ${name}`, () => step(name, id, options)),
			),
		);
	}
	return queue;
}

async function list(options: TargetOptions): Promise<number> {
	const answer = await call<{ items: Queue[] }>(options, "/v1/queues");
	if (options.json) console.log(JSON.stringify(answer, null, 2));
	else for (const queue of answer.items) console.log(lineOf(queue));
	return exitCodes.yes;
}

async function step(name: string, id: string, options: TargetOptions): Promise<number> {
	const queue = await call<Queue>(options, `/v1/queues/${encodeURIComponent(id)}/${name}`, {});
	console.log(options.json ? JSON.stringify(queue, null, 2) : lineOf(queue));
	return exitCodes.yes;
}

function lineOf({ id, carrier, sender, state, limitPerSecond, backlog, live }: Queue): string {
	const limit = limitPerSecond === undefined ? "the default" : String(limitPerSecond);
	const pace = live
		? `${live.segmentsPerSecond} of ${limit} segments/s, ${live.waiting} waiting, ${live.delayed} delayed, ${live.active} under way`
		: "Redis does not answer";
	return `${id.padEnd(24)}${state.padEnd(10)}${carrier} ${sender}  ${pace}, ${backlog} in the store`;
}
