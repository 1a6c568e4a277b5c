// Runs axe, which is in the page already: on all of it, or on one text of each look, by the classes and styles above it.
async ({ rules, looks }) => {
  let context = document;
  if (looks) {
    const lookOf = (one) => (one ? lookOf(one.parentElement) + ">" + one.localName + "." + one.className + one.style?.cssText : "");
    const speaks = (one) => one.checkVisibility() && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const texts = [...document.body.querySelectorAll("*")].filter(speaks);
    context = { include: [...new Map(texts.map((one) => [lookOf(one), one])).values()] };
  }
  const { violations } = await axe.run(context, { resultTypes: ["violations"], preload: false, ...rules });
  return violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id} (${help}): ${node.html.slice(0, 160)}`));
}
