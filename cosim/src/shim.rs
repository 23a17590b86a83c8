//! The C++ between a Verilator model and Rust: a C interface over flat arrays of words.

use std::fmt::Write as _;

use quaver_hdl::Direction;

use crate::Signals;
use crate::signals::CLOCK;

/// Class of the Verilated model.
pub(crate) const MODEL: &str = "Vdut";

/// The part that is the same for every design. Times, arrays and spans are those of `Signals`.
const COMMON: &str = r#"
struct Instance {
    VerilatedContext context;
    MODEL* model = nullptr;
#if VM_TRACE
    VerilatedVcdC* trace = nullptr;
#endif
    ~Instance() {
#if VM_TRACE
        if (trace) trace->close();
        delete trace;
#endif
        if (model) model->final();
        delete model;
    }
    void settle() {
        model->eval();
#if VM_TRACE
        if (trace && trace->isOpen()) trace->dump(context.time());
#endif
        context.timeInc(1);
    }
};

struct Span {
    uint32_t start;
    uint32_t words;
    uint32_t top_mask;
};

inline void eval_once(Instance* instance, const uint32_t* in, uint32_t* out) {
    apply(*instance->model, in);
    instance->settle();
    collect(*instance->model, out);
}

inline void tick_once(Instance* instance, const uint32_t* in, uint32_t* out) {
    apply(*instance->model, in);
    set_clock(*instance->model, 0);
    instance->settle();
    collect(*instance->model, out);
    set_clock(*instance->model, 1);
    instance->settle();
}
}  // namespace

#define QUAVER_EXPORT extern "C" __attribute__((visibility("default")))

QUAVER_EXPORT uint32_t quaver_input_words() { return INPUT_WORDS; }
QUAVER_EXPORT uint32_t quaver_output_words() { return OUTPUT_WORDS; }

QUAVER_EXPORT Instance* quaver_create() {
    try {
        Instance* instance = new Instance;
#if VM_TRACE
        instance->context.traceEverOn(true);
#endif
        instance->model = new MODEL(&instance->context, "TOP");
        // Verilator detects edges against the value at the last eval: without this one, with the
        // clock at 0, the first rising edge would be lost.
        const uint32_t in[INPUT_WORDS + 1] = {0};
        apply(*instance->model, in);
        instance->model->eval();
        return instance;
    } catch (...) {
        return nullptr;
    }
}

QUAVER_EXPORT void quaver_destroy(Instance* instance) { delete instance; }

QUAVER_EXPORT void quaver_eval(Instance* instance, const uint32_t* in, uint32_t* out) {
    eval_once(instance, in, out);
}

QUAVER_EXPORT void quaver_tick(Instance* instance, const uint32_t* in, uint32_t* out) {
    tick_once(instance, in, out);
}

QUAVER_EXPORT void quaver_batch(Instance* instance, uint32_t ticks, size_t count, uint32_t* in,
                                uint32_t* out, const Span* in_spans, size_t in_span_count,
                                const uint32_t* words, const Span* out_spans,
                                size_t out_span_count, uint32_t* results) {
    for (size_t row = 0; row < count; ++row) {
        for (size_t i = 0; i < in_span_count; ++i) {
            const Span span = in_spans[i];
            for (uint32_t w = 0; w < span.words; ++w) in[span.start + w] = *words++;
            in[span.start + span.words - 1] &= span.top_mask;
        }
        if (ticks) {
            tick_once(instance, in, out);
        } else {
            eval_once(instance, in, out);
        }
        for (size_t i = 0; i < out_span_count; ++i) {
            const Span span = out_spans[i];
            for (uint32_t w = 0; w < span.words; ++w) *results++ = out[span.start + w];
        }
    }
}

// 1: tracing has started; 0: the file cannot be written; -1: built without tracing.
QUAVER_EXPORT int quaver_trace_open(Instance* instance, const char* path) {
#if VM_TRACE
    if (!instance->trace) {
        instance->trace = new VerilatedVcdC;
        instance->model->trace(instance->trace, 99);
    }
    instance->trace->open(path);
    return instance->trace->isOpen() ? 1 : 0;
#else
    (void)instance;
    (void)path;
    return -1;
#endif
}

QUAVER_EXPORT void quaver_trace_close(Instance* instance) {
#if VM_TRACE
    if (instance->trace) instance->trace->close();
#else
    (void)instance;
#endif
}

QUAVER_EXPORT uint64_t quaver_time(const Instance* instance) { return instance->context.time(); }
"#;

/// The shim for a design with those ports.
pub(crate) fn source(signals: &Signals) -> String {
    let mut apply = String::new();
    let mut collect = String::new();
    let mut has_clock = false;
    for port in signals.ports() {
        let name = &port.name;
        let slot = signals.slot(signals.port(name).expect("a port of this list"));
        let start = slot.start;
        // Verilator holds up to 32 bits in an integer, up to 64 in a QData, more in words.
        let (line, block) = match (slot.direction, slot.words) {
            (Direction::Input, 1) => (format!("dut.{name} = in[{start}];"), &mut apply),
            (Direction::Input, 2) => (
                format!(
                    "dut.{name} = in[{start}] | static_cast<uint64_t>(in[{}]) << 32;",
                    start + 1
                ),
                &mut apply,
            ),
            (Direction::Input, n) => (
                format!("for (int i = 0; i < {n}; ++i) dut.{name}[i] = in[{start} + i];"),
                &mut apply,
            ),
            (Direction::Output, 1) => (format!("out[{start}] = dut.{name};"), &mut collect),
            (Direction::Output, 2) => (
                format!(
                    "out[{start}] = static_cast<uint32_t>(dut.{name}); out[{}] = dut.{name} >> 32;",
                    start + 1
                ),
                &mut collect,
            ),
            (Direction::Output, n) => (
                format!("for (int i = 0; i < {n}; ++i) out[{start} + i] = dut.{name}[i];"),
                &mut collect,
            ),
        };
        writeln!(block, "    {line}").expect("a string takes text");
        has_clock |= name == CLOCK && slot.direction == Direction::Input;
    }
    let set_clock = match has_clock {
        true => format!("dut.{CLOCK} = value;"),
        false => "(void)dut; (void)value;".to_owned(),
    };
    format!(
        "// Generated by quaver-cosim from the ports of {top}; do not edit.\n\
         #include <cstddef>\n#include <cstdint>\n#include \"{MODEL}.h\"\n\
         #if VM_TRACE\n#include \"verilated_vcd_c.h\"\n#endif\n\
         namespace {{\n\
         using MODEL = {MODEL};\n\
         constexpr uint32_t INPUT_WORDS = {inputs};\n\
         constexpr uint32_t OUTPUT_WORDS = {outputs};\n\
         inline void apply(MODEL& dut, const uint32_t* in) {{\n    (void)dut; (void)in;\n{apply}}}\n\
         inline void collect(const MODEL& dut, uint32_t* out) {{\n    (void)dut; (void)out;\n{collect}}}\n\
         inline void set_clock(MODEL& dut, uint8_t value) {{ {set_clock} }}\n\
         {COMMON}",
        top = signals.design(),
        inputs = signals.inputs.len(),
        outputs = signals.outputs.len(),
    )
}
