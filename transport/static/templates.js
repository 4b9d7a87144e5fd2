import { ask, at, element, letIn, onClick, onSubmit, speak, tell, withSession, words } from "./asking.js";

const LOG_IN = `mutation ($input: LogInByEmailInput!) { logInVerifier(input: $input) {
  __typename ... on LoggedIn { endsAt } ... on Refusal { message } } }`;
const OFFICE = `{ viewer { verifier { language role isPrimary } } organisation { institution { shownAs }
  templates { id name isDefault format delimiter encoding dateFormat header version
    columns { field examCode skill heading } } } }`;
const CREATE = `mutation ($input: CreateTemplateInput!) { createTemplate(input: $input) {
  __typename ... on Refusal { message } ... on InvalidInput { problems { path message } } } }`;
const CHANGE = `mutation ($input: ChangeTemplateInput!) { changeTemplate(input: $input) {
  __typename ... on Refusal { message } ... on InvalidInput { problems { path message } } } }`;
const DELETE = `mutation ($input: DeleteTemplateInput!) { deleteTemplate(input: $input) {
  __typename ... on Refusal { message } ... on TemplateDeleted { message } } }`;
const PREVIEW = `query ($input: PreviewTemplateInput!) { previewTemplate(input: $input) {
  headings rows problems { path message } } }`;

const WORDS = {
  en: {
    title: "Download templates",
    columns: (count) => (count === 1 ? "1 column" : `${count} columns`),
    edit: "Change",
    copy: "Copy",
    remove: "Delete",
    sure: (name) => `Delete the template “${name}”? Earlier downloads stay as they are.`,
    editing: (name) => `Template “${name}”`,
    copying: (name) => `A copy of “${name}”`,
    heading: (number) => `Heading of column ${number}`,
    up: "Up",
    down: "Down",
    leaveOut: "Leave out",
    of: (number, message) => `Column ${number}: ${message}`,
    saved: "Saved.",
  },
  ja: {
    title: "ダウンロード用テンプレート",
    columns: (count) => `${count} 列`,
    edit: "変更",
    copy: "コピー",
    remove: "削除",
    sure: (name) => `テンプレート「${name}」を削除しますか。これまでのダウンロードには影響しません。`,
    editing: (name) => `テンプレート「${name}」`,
    copying: (name) => `「${name}」のコピー`,
    heading: (number) => `${number} 列目の見出し`,
    up: "上へ",
    down: "下へ",
    leaveOut: "外す",
    of: (number, message) => `${number} 列目：${message}`,
    saved: "保存しました。",
  },
};
const ROWS_SHOWN = 5;
let offered = [];
let edited = null; // the id and the version of the template that is being changed; null for a new one

function line(template, mayChange) {
  const item = element("li");
  const name = element("h3", template.name, { id: `of-${template.id}`, translate: "no" });
  const buttons = element("p", "", { class: "buttons" });
  const offer = (word, work) => {
    const button = element("button", word, { type: "button", class: "quiet", "aria-describedby": name.id });
    onClick(button, work);
    buttons.append(button);
  };
  if (mayChange && !template.isDefault) offer(words.edit, () => edit(template));
  if (mayChange) offer(words.copy, () => copy(template));
  if (mayChange && !template.isDefault) offer(words.remove, () => remove(template));
  item.append(name, element("p", `${template.format}, ${words.columns(template.columns.length)}`), buttons);
  return item;
}

function edit(template) {
  edited = { id: template.id, expectedVersion: template.version };
  fill(template, words.editing(template.name), template.name);
}

function copy(template) {
  edited = null;
  fill(template, words.copying(template.name), "");
}

function fill(template, title, name) {
  at("editing").textContent = title;
  at("name").value = name;
  at("format").value = template.format;
  at("date").value = template.dateFormat;
  at("delimiter").value = template.delimiter;
  at("encoding").value = template.encoding;
  at("header").checked = template.header;
  at("columns").replaceChildren(...template.columns.map(column));
  at("preview").hidden = true;
  at("form").hidden = false;
  turn();
  at("editing").focus();
}

// What a format has no use for is not asked.
function turn() {
  at("csv").hidden = at("format").value !== "CSV";
  number();
}

function column({ heading, ...holds }) {
  const item = element("li");
  item.holds = holds;
  const field = element("input", "", { maxlength: "100", title: offeredName(holds) });
  field.value = heading;
  const buttons = element("p", "", { class: "buttons" });
  const offer = (word, work) => {
    const button = element("button", word, { type: "button", class: "quiet" });
    button.addEventListener("click", () => {
      work();
      number();
      if (button.isConnected) button.focus();
    });
    buttons.append(button);
  };
  offer(words.up, () => item.previousElementSibling?.before(item));
  offer(words.down, () => item.nextElementSibling?.after(item));
  offer(words.leaveOut, () => item.remove());
  item.append(element("p", offeredName(holds), { class: "hint" }), field, buttons);
  return item;
}

const same = (one, other) => ["field", "examCode", "skill"].every((name) => one[name] === other[name]);
const offeredName = (holds) => offered.find((one) => same(one, holds))?.heading ?? words[holds.skill] ?? holds.field;

// Whoever cannot see where a column stands is told it with its name.
function number() {
  [...at("columns").children].forEach((item, place) => {
    item.querySelector("input").setAttribute("aria-label", `${words.heading(place + 1)}: ${offeredName(item.holds)}`);
  });
}

function add() {
  const item = column(offered[at("field").selectedIndex]);
  at("columns").append(item);
  number();
  item.querySelector("input").focus();
}

function layout() {
  return {
    format: at("format").value, dateFormat: at("date").value, delimiter: at("delimiter").value,
    encoding: at("encoding").value, header: at("header").checked,
    columns: [...at("columns").children].map((item) => ({ ...item.holds, heading: item.querySelector("input").value })),
  };
}

async function preview() {
  const { previewTemplate: answer } = await ask(PREVIEW, { input: layout() });
  if (answer === null) return show();
  at("preview").hidden = answer.problems.length > 0;
  if (answer.problems.length) return fault(answer.problems);
  const table = element("table", "", { translate: "no" });
  table.append(row("th", answer.headings), ...answer.rows.slice(0, ROWS_SHOWN).map((cells) => row("td", cells)));
  at("preview").replaceChildren(table);
  at("preview").focus();
}

function row(kind, cells) {
  const made = element("tr");
  made.append(...cells.map((cell) => element(kind, cell)));
  return made;
}

async function save() {
  const input = { ...edited, ...layout(), name: at("name").value };
  const [answer] = Object.values(await ask(edited ? CHANGE : CREATE, { input }));
  if (answer.problems) return fault(answer.problems);
  if (answer.message) return refuse(answer);
  await show();
  tell("good", words.saved);
  at("told").focus();
}

function fault(problems) {
  const places = problems.map(({ path }) => Number(/^columns\[(\d+)\]/.exec(path)?.[1] ?? -1));
  tell("bad", ...problems.map(({ message }, one) => (places[one] < 0 ? message : words.of(places[one] + 1, message))));
  at("columns").children[places.find((place) => place >= 0)]?.querySelector("input").focus();
}

async function remove(template) {
  if (!window.confirm(words.sure(template.name))) return;
  const { deleteTemplate: answer } = await ask(DELETE, { input: { id: template.id } });
  if (answer.__typename !== "TemplateDeleted") return refuse(answer);
  await show();
  tell("good", answer.message);
  at("owner").focus();
}

async function refuse({ __typename: why, message }) {
  if (why === "NotLoggedIn") await show();
  tell("bad", message);
}

async function show() {
  const { viewer: { verifier }, organisation } = await ask(OFFICE);
  speak(WORDS, verifier?.language);
  letIn(verifier !== null);
  at("form").hidden = true;
  const templates = organisation?.templates ?? [];
  offered = templates[0]?.columns ?? [];
  at("field").replaceChildren(...offered.map(({ heading }) => element("option", heading)));
  at("owner").textContent = organisation?.institution.shownAs ?? "";
  const mayChange = verifier !== null && (verifier.isPrimary || verifier.role !== "READER");
  at("rows").replaceChildren(...templates.map((template) => line(template, mayChange)));
}

speak(WORDS);
onSubmit(at("form"), save);
onClick(at("try"), preview);
at("add").addEventListener("click", add);
at("leave").addEventListener("click", () => { at("form").hidden = true; });
at("format").addEventListener("change", turn);
withSession(LOG_IN, "email", show);
