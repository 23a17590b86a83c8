//! The only unsafe code: calls into the shared library that the shim and Verilator made.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;

use crate::CosimError;

/// A span of words, laid out as the shim's `Span`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) words: u32,
    pub(crate) top_mask: u32,
}

/// What `trace_open` of the shim says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceStart {
    Started,
    Unwritable,
    NotBuilt,
}

type Create = unsafe extern "C" fn() -> *mut c_void;
type Destroy = unsafe extern "C" fn(*mut c_void);
type Words = unsafe extern "C" fn() -> u32;
type Advance = unsafe extern "C" fn(*mut c_void, *const u32, *mut u32);
type Many = unsafe extern "C" fn(
    *mut c_void,
    u32,
    usize,
    *mut u32,
    *mut u32,
    *const Span,
    usize,
    *const u32,
    *const Span,
    usize,
    *mut u32,
);
type TraceOpen = unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int;
type TraceClose = unsafe extern "C" fn(*mut c_void);
type Time = unsafe extern "C" fn(*const c_void) -> u64;

/// An instance of a Verilated model. `instance` is never null and is destroyed exactly once.
pub(crate) struct Model {
    instance: *mut c_void,
    destroy: Destroy,
    eval: Advance,
    tick: Advance,
    many: Many,
    trace_open: TraceOpen,
    trace_close: TraceClose,
    time: Time,
    input_words: usize,
    output_words: usize,
    /// Keeps the code behind the pointers above mapped; dropped last, as the last field.
    _library: libloading::Library,
}

// SAFETY: the instance owns its Verilator context and is reachable through this value alone; its
// code keeps no thread-local state between calls. `Model` is not `Sync`, and every call that
// changes the instance takes `&mut self`.
unsafe impl Send for Model {}

impl Model {
    /// Loads the library and makes an instance.
    pub(crate) fn load(path: &Path) -> Result<Self, CosimError> {
        let fail = |message: String| CosimError::Library {
            path: path.to_owned(),
            message,
        };
        // SAFETY: the library was built from our shim; its initialisers are those of Verilator's
        // runtime, which only construct static objects.
        let library = unsafe { libloading::Library::new(path) }.map_err(|e| fail(e.to_string()))?;
        macro_rules! symbol {
            ($name:literal as $type:ty) => {
                // SAFETY: the shim defines the symbol with exactly this signature.
                *unsafe { library.get::<$type>($name) }.map_err(|e| fail(e.to_string()))?
            };
        }
        let create = symbol!(b"quaver_create" as Create);
        let input_words = symbol!(b"quaver_input_words" as Words);
        let output_words = symbol!(b"quaver_output_words" as Words);
        let mut model = Self {
            instance: std::ptr::null_mut(),
            destroy: symbol!(b"quaver_destroy" as Destroy),
            eval: symbol!(b"quaver_eval" as Advance),
            tick: symbol!(b"quaver_tick" as Advance),
            many: symbol!(b"quaver_batch" as Many),
            trace_open: symbol!(b"quaver_trace_open" as TraceOpen),
            trace_close: symbol!(b"quaver_trace_close" as TraceClose),
            time: symbol!(b"quaver_time" as Time),
            // SAFETY: both functions take nothing and return a constant.
            input_words: unsafe { input_words() } as usize,
            // SAFETY: as above.
            output_words: unsafe { output_words() } as usize,
            _library: library,
        };
        // SAFETY: takes nothing; catches every C++ exception and then returns null.
        model.instance = unsafe { create() };
        match model.instance.is_null() {
            true => Err(fail("the model could not be constructed".to_owned())),
            false => Ok(model),
        }
    }

    /// Words of all inputs and of all outputs.
    pub(crate) fn words(&self) -> (usize, usize) {
        (self.input_words, self.output_words)
    }

    fn check(&self, inputs: &[u32], outputs: &[u32]) {
        assert_eq!((inputs.len(), outputs.len()), self.words());
    }

    /// Evaluates once.
    pub(crate) fn eval(&mut self, inputs: &[u32], outputs: &mut [u32]) {
        self.check(inputs, outputs);
        // SAFETY: the instance is alive, and the shim reads and writes exactly the lengths that
        // were just checked.
        unsafe { (self.eval)(self.instance, inputs.as_ptr(), outputs.as_mut_ptr()) }
    }

    /// Clocks once.
    pub(crate) fn tick(&mut self, inputs: &[u32], outputs: &mut [u32]) {
        self.check(inputs, outputs);
        // SAFETY: as in `eval`.
        unsafe { (self.tick)(self.instance, inputs.as_ptr(), outputs.as_mut_ptr()) }
    }

    /// Runs `count` rows: `words` into `in_spans` of the inputs, `out_spans` of the outputs into
    /// `results`.
    #[expect(clippy::too_many_arguments, reason = "the C function's own list")]
    pub(crate) fn many(
        &mut self,
        ticks: bool,
        count: usize,
        inputs: &mut [u32],
        outputs: &mut [u32],
        in_spans: &[Span],
        words: &[u32],
        out_spans: &[Span],
        results: &mut [u32],
    ) {
        self.check(inputs, outputs);
        let fits = |spans: &[Span], all: usize, rows: usize| {
            let inside = |s: &Span| s.words > 0 && s.start as usize + s.words as usize <= all;
            let row: usize = spans.iter().map(|s| s.words as usize).sum();
            spans.iter().all(inside) && row.checked_mul(count) == Some(rows)
        };
        assert!(fits(in_spans, inputs.len(), words.len()));
        assert!(fits(out_spans, outputs.len(), results.len()));
        // SAFETY: the instance is alive; every span lies inside its array, and `words` and
        // `results` hold the spans of `count` rows: all just checked.
        unsafe {
            (self.many)(
                self.instance,
                u32::from(ticks),
                count,
                inputs.as_mut_ptr(),
                outputs.as_mut_ptr(),
                in_spans.as_ptr(),
                in_spans.len(),
                words.as_ptr(),
                out_spans.as_ptr(),
                out_spans.len(),
                results.as_mut_ptr(),
            );
        }
    }

    /// Starts a waveform.
    pub(crate) fn trace_open(&mut self, path: &CStr) -> TraceStart {
        // SAFETY: the instance is alive and the path ends with a zero byte.
        match unsafe { (self.trace_open)(self.instance, path.as_ptr()) } {
            1 => TraceStart::Started,
            0 => TraceStart::Unwritable,
            _ => TraceStart::NotBuilt,
        }
    }

    /// Completes the waveform.
    pub(crate) fn trace_close(&mut self) {
        // SAFETY: the instance is alive.
        unsafe { (self.trace_close)(self.instance) }
    }

    /// Evaluations so far.
    pub(crate) fn time(&self) -> u64 {
        // SAFETY: the instance is alive.
        unsafe { (self.time)(self.instance) }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        if !self.instance.is_null() {
            // SAFETY: made by `create`, alive, and not used after this.
            unsafe { (self.destroy)(self.instance) }
        }
    }
}
