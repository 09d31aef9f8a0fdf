// What the offline validator has to say of templates: {file: [{severity, ruleId, message, logicalId, path}]} as JSON on stdout.
//   node validate.js FOLDER FILE…        FOLDER holds node_modules
const { createRequire } = require("module");
const [folder, ...files] = process.argv.slice(2);
const { RegoEngine, TemplateFile } = createRequire(folder + "/")("@aws/cloudformation-validate");

const engine = new RegoEngine();
const found = {};
for (const file of files) {
    found[file] = engine.validateStandard(new TemplateFile(file)).diagnostics.map((one) => ({
        severity: one.severity,
        ruleId: one.ruleId,
        message: one.message,
        logicalId: one.entity ? one.entity.logicalId : null,
        path: one.propertyPath || "",
    }));
}
engine.free();
console.log(JSON.stringify(found));
