// @ts-check
// What other pages load: it defines <holdfast-chat>.
import "./chat/element.js";
