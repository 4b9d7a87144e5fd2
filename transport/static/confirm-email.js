// The token stands behind the # of the address, which browsers never send: it is in no log on the way.
// Opening the page changes nothing, because programs that look for harm in mails open every link.
const MUTATION = `mutation ($input: ConfirmEmailInput!) { confirmEmail(input: $input) {
  __typename ... on EmailConfirmed { message } ... on Refusal { message } } }`;

const WORDS = {
  en: {
    title: "Confirm your new e-mail address",
    EmailConfirmed: "Your new e-mail address is confirmed. From now on mail goes there.",
    LinkNotValid: "This link was used before, is too old, or is not complete. Change your e-mail address again to get a new one.",
    failed: "That did not work. Please try again.",
  },
  ja: {
    title: "新しいメールアドレスの確認",
    EmailConfirmed: "新しいメールアドレスを確認しました。以後のメールはこのアドレスに届きます。",
    LinkNotValid: "このリンクは使用済みか、期限切れか、不完全です。新しいリンクを受け取るには、もう一度メールアドレスを変更してください。",
    failed: "うまくいきませんでした。もう一度お試しください。",
  },
};

const languages = (navigator.languages ?? [navigator.language]).map((tag) => tag.slice(0, 2).toLowerCase());
const language = languages.find((one) => one in WORDS) ?? "en";
const words = WORDS[language];
const form = document.getElementById("form");
const told = document.getElementById("told");

document.documentElement.lang = language;
document.title = words.title;
for (const one of document.querySelectorAll("main [lang]")) one.hidden = one.lang !== language;

function tell(text, kind) {
  const line = document.createElement("p");
  line.textContent = text;
  told.className = kind;
  told.replaceChildren(line);
}

async function confirm() {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ query: MUTATION, variables: { input: { token: location.hash.slice(1) } } }),
  });
  const { data } = await response.json();
  return data.confirmEmail;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const answer = await confirm();
    const isDone = answer.__typename === "EmailConfirmed";
    form.hidden = isDone;
    tell(words[answer.__typename] ?? answer.message, isDone ? "good" : "bad");
  } catch {
    tell(words.failed, "bad");
  }
});
