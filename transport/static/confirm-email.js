// The token stands behind the # of the address, which browsers never send: it is in no log on the way.
// Opening the page changes nothing, because programs that look for harm in mails open every link.
import { ask, at, done, onSubmit, speak, tell, words } from "./asking.js";

const MUTATION = `mutation ($input: ConfirmEmailInput!) { confirmEmail(input: $input) {
  __typename ... on EmailConfirmed { message } ... on Refusal { message } } }`;

const WORDS = {
  en: {
    title: "Confirm your e-mail address",
    LinkNotValid: "This link was used before, is too old, or is not complete. To get a new one, do again what it was for: change your e-mail address, or apply for an account.",
  },
  ja: {
    title: "メールアドレスの確認",
    LinkNotValid: "このリンクは使用済みか、期限切れか、不完全です。新しいリンクを受け取るには、メールアドレスの変更またはアカウントのお申し込みをもう一度行ってください。",
  },
};

speak(WORDS);
onSubmit(at("form"), async () => {
  const { confirmEmail: answer } = await ask(MUTATION, { input: { token: location.hash.slice(1) } });
  const said = words[answer.__typename] ?? answer.message;
  if (answer.__typename === "EmailConfirmed") done(at("form"), said);
  else tell("bad", said);
});
