// The editor of messages. Fetched where it opens, by `marketing_automation.load_editor`.

import { DesignState } from "./message_editor/state.js";
import { MessageEditor } from "./message_editor/editor.js";
import { choose_design } from "./message_editor/gallery.js";

Object.assign(marketing_automation, { DesignState, MessageEditor, choose_design });
