// `lethe templates`: texts with declared variables, stored, listed and retired.

import { Command, InvalidArgumentError, Option } from "commander";
import type { Template } from "../client/types.ts";
import { categories } from "../domain/message.ts";
import { dataClasses } from "../policies/facts.ts";
import { addExample } from "./examples.ts";
import { call, type TargetOptions, withAct } from "./policy/call.ts";
import { act, listOf, show, stepOf, withExample } from "./records.ts";
import { readText } from "./run.ts";

type Variables = Record<string, { dataClass: string; charactersMax: number }>;
type CreateOptions = TargetOptions & { name: string; file: string; category?: string; variable?: Variables };

const base = "/v1/templates";

export function templatesCommand(): Command {
	return new Command("templates")
		.description("store, list, show and retire templates")
		.addCommand(
			listOf<Template>(new Command("list").description("list the templates, newest first"), {
				path: () => base,
				line: lineOf,
				example: "lethe templates list",
			}),
		)
		.addCommand(showCommand())
		.addCommand(createCommand())
		.addCommand(retireCommand());
}

function showCommand(): Command {
	return withExample(new Command("show").description("show a template with its text"), "lethe templates show tpl_…")
		.argument("<id>", "the template's id")
		.action((id: string, options: TargetOptions) =>
			act("templates show", async () => {
				const found = await call<Template>(options, `${base}/${encodeURIComponent(id)}`);
				show(options, found, (template) => [lineOf(template), ...variablesOf(template), template.text]);
			}),
		);
}

function createCommand(): Command {
	const command = new Command("create").description("store a template; it never changes, a new wording is a new one");
	const example = "lethe templates create --name reminder --file reminder.txt --variable when=contact:40";
	return addExample(withAct(command), example)
		.requiredOption("--name <name>", "what it is called; one live template has it at a time")
		.requiredOption("--file <file>", "its text, with `{{name}}` where a variable goes")
		.addOption(new Option("--category <name>", "the only one that it may be used for").choices(categories))
		.option("--variable <name=class:characters...>", "a variable, its data class and its length", addVariable)
		.action((options: CreateOptions) =>
			act("templates create", async () => {
				const { name, file, category, variable: variables } = options;
				const text = (await readText(file)).replace(/\r?\n$/, "");
				const made = await call<Template>(options, base, { name, text, category, variables });
				show(options, made, (template) => [lineOf(template)]);
			}),
		);
}

function retireCommand(): Command {
	const command = new Command("retire").description("let a template fill no new message; within five seconds");
	const example = "lethe templates retire tpl_…";
	return stepOf<Template>(command, { base, of: "template", lines: (template) => [lineOf(template)], example });
}

function lineOf({ id, name, category, createdAt, retiredAt }: Template): string {
	const end = retiredAt ? `retired at ${retiredAt}` : `since ${createdAt}`;
	return [id, name, category, end].filter(Boolean).join("  ");
}

function variablesOf({ variables }: Template): string[] {
	return Object.entries(variables).map(
		([name, { dataClass, charactersMax }]) => `  ${name}: ${dataClass}, at most ${charactersMax} characters`,
	);
}

function addVariable(text: string, before: Variables = {}): Variables {
	const [, name = "", dataClass = "", characters] = /^(\w+)=(\w+):(\d{1,4})$/.exec(text) ?? [];
	if (!(dataClasses as readonly string[]).includes(dataClass)) {
		throw new InvalidArgumentError(
			`Give NAME=CLASS:CHARACTERS as in when=contact:40; classes: ${dataClasses.join(", ")}.`,
		);
	}
	return { ...before, [name]: { dataClass, charactersMax: Number(characters) } };
}
