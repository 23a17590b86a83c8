//! The table of bad arguments and files.

/// Arguments, and what the line must name.
pub(super) type Case = (&'static str, &'static [&'static str]);

/// The command line itself.
pub(super) const USAGE: &[Case] = &[
    ("", &["requires a subcommand", "formats", "quaver --help"]),
    ("gem", &["'gem'", "similar"]),
    ("formats --colour", &["--colour", "quaver formats --help"]),
    ("gemm --a a.npy", &["--b", "--engine"]),
    (
        "convert --from fp32 --to e5m2 f32.npy -o o.npy --rounding up",
        &["'up'", "rne", "rz", "ru", "rd", "rna", "sr"],
    ),
    (
        "convert --from fp32 --to e5m2 f32.npy -o o.npy --overflow wrap",
        &["'wrap'", "saturate", "inf", "nan", "native"],
    ),
];

/// Tables and files of formats and configurations.
pub(super) const FORMATS: &[Case] = &[
    ("formats fp7", &["format 'fp7'", "e4m3fn", "e5m2"]),
    ("formats e9m3", &["e9m3.exponent_bits = 9", "1 to 8"]),
    ("formats fp32 --codes", &["--codes", "fp32", "16 bits"]),
    ("formats --formats-file none.toml", &["none.toml"]),
    ("formats --formats-file key.toml", &["key.toml", "source"]),
    ("profiles cray", &["profile 'cray'", "h100", "gaudi2"]),
    ("profiles --format e5m2", &["--vectors"]),
    ("configs huge", &["configuration 'huge'", "default", "odd"]),
    ("configs rows.toml", &["mine.rows = 0", "1 to 128"]),
    ("configs missing.toml", &["missing.toml", "tile_rows"]),
    ("configs unknown.toml", &["unknown.toml", "colour"]),
    ("configs none.toml", &["none.toml"]),
];

/// Scales of blocks of a product.
pub(super) const BLOCKS: &[Case] = &[
    (
        "gemm --a a.npy --b b.npy --format-a e5m2 --format-b e5m2 --engine golden -o o.npy \
         --block-a mx --block-scales-a a.npy",
        &["--block-b"],
    ),
    (
        "gemm --a a.npy --b b.npy --format-a e5m2 --format-b e5m2 --engine golden -o o.npy \
         --block-a mx --block-scales-a a.npy --block-b mx --block-scales-b b.npy",
        &[
            "--block-b",
            "1 x 32 with e8m0fnu",
            "blocks of 32 terms of K",
        ],
    ),
    (
        "gemm --a a.npy --b b.npy --format-a e5m2 --format-b e5m2 --engine golden -o o.npy \
         --block-a mx --block-scales-a a.npy --block-b 32x1 --block-scales-b f32.npy",
        &["--block-b", "scales in e8m0fnu"],
    ),
    (
        "gemm --a a.npy --b b.npy --format-a e5m2 --format-b e5m2 --engine golden -o o.npy \
         --block-a mx:1x1 --block-scales-a none.npy --block-b mx:1x1 --block-scales-b b.npy",
        &["none.npy"],
    ),
    (
        "gemm --a a.npy --b b.npy --format-a e5m2 --format-b e5m2 --engine golden -o o.npy \
         --block-a mx:1x1 --block-scales-a b.npy --block-b mx:1x1 --block-scales-b b.npy",
        &["b.npy", "shape [3, 2]", "one a block: [2, 3]"],
    ),
    (
        "gemm --a a.npy --b b.npy --format-a e5m2 --format-b e5m2 --engine golden -o o.npy \
         --block-a mx:1x1 --block-scales-a f32.npy --block-b mx:1x1 --block-scales-b b.npy",
        &["f32.npy", "dtype float32", "uint8"],
    ),
    (
        "gemm --a a.npy --b b.npy --format-a e5m2 --format-b e5m2 --engine golden -o o.npy \
         --block-a mx:0x1 --block-scales-a a.npy --block-b mx:1x1 --block-scales-b b.npy",
        &["--block-a", "1 or more"],
    ),
];

/// Simulations and waveforms.
pub(super) const SIMULATE: &[Case] = &[
    ("simulate", &["--layer missing", "--m --n --k"]),
    ("simulate --m 3", &["--n", "--k"]),
    (
        "simulate --m 3 --n 3 --k 99999999999",
        &["3x3x99999999999", "2^32"],
    ),
    (
        "simulate --layer pool:3,3",
        &["--layer pool:3,3", "conv:N,C,H,W"],
    ),
    (
        "simulate --layer conv:1,1,2,2,1,3,3,1,0",
        &["--layer conv", "linear:"],
    ),
    ("simulate --layers none.npy", &["none.npy"]),
    ("simulate --layers key.toml", &["key.toml", "line 2"]),
    (
        "simulate --m 3 --n 3 --k 3 --stalls a=11",
        &["--stalls a=11", "that have a 0"],
    ),
    (
        "simulate --m 3 --n 3 --k 3 --stalls q=0",
        &["--stalls q=0", "a seed"],
    ),
    (
        "simulate --m 3 --n 3 --k 3 --vcd o.vcd --cycles 5..2",
        &["--cycles 5..2", "A below B"],
    ),
    (
        "simulate --layer gemm:1,1,1 --layer gemm:2,2,2 --vcd o.vcd",
        &["--vcd with 2 jobs", "one layer"],
    ),
    (
        "simulate --m 3 --n 3 --k 3 --config os_4x4 --dataflow is",
        &["--dataflow is with configuration os_4x4", "(os)"],
    ),
    (
        "simulate --m 3 --n 3 --k 3 --scalesim 0x4",
        &["--scalesim 0x4", "1 to 65536"],
    ),
    (
        "simulate --m 3 --n 0 --k 3 --scalesim 4x4",
        &["3x0x3", "--scalesim"],
    ),
    (
        "simulate --m 3 --n 3 --k 3 --scalesim 4x4 --step",
        &["--scalesim", "--step"],
    ),
    ("explore", &["--layer"]),
    (
        "explore --layer gemm:9,9,9 --bandwidth 0",
        &["--bandwidth 0", "1 to 1048576"],
    ),
    (
        "explore --layer gemm:9,9,9 --buffer-a 1X",
        &["--buffer-a 1X", "K, M or G"],
    ),
    (
        "explore --layer gemm:99,9,99 --buffer-b 9 --config small",
        &["--buffer-b 9 with configuration small", "at least"],
    ),
    (
        "explore --layer gemm:9,9,9 --clock 0",
        &["--clock 0", "MHz"],
    ),
    (
        "explore --layer gemm:9,9,9 --energy none.toml",
        &["none.toml"],
    ),
    (
        "explore --layer gemm:9,9,9 --energy key.toml",
        &["key.toml", "line"],
    ),
    ("wavediff none.vcd none.vcd", &["none.vcd"]),
    ("wavediff a.npy a.npy", &["a.npy"]),
];

/// Models.
pub(super) const MODEL: &[Case] = &[
    ("model", &["<FILE.onnx>", "quaver model --help"]),
    (
        "model none.onnx",
        &["cannot read none.onnx", "No such file"],
    ),
    ("model .", &["cannot read .", "directory"]),
    (
        "model /dev/zero",
        &["cannot read /dev/zero", "not a regular file"],
    ),
    (
        "model a.npy",
        &["a.npy: byte 0: model: field 1250 has wire type 3"],
    ),
    (
        "model cut.onnx",
        &["cut.onnx: byte 1: model: 5 bytes where the message has 3 left"],
    ),
    (
        "model beside.onnx",
        &[
            "beside.onnx: byte",
            "graph.initializer[0].external_data",
            "none.bin",
        ],
    ),
];

/// Conversions.
pub(super) const CONVERT: &[Case] = &[
    (
        "convert --from fp32 --to e5m2 none.npy -o o.npy",
        &["none.npy", "No such file"],
    ),
    (
        "convert --from fp32 --to e5m2 . -o o.npy",
        &["cannot read .", "directory"],
    ),
    (
        "convert --from fp32 --to e5m2 f64.npy -o o.npy",
        &["f64.npy", "dtype float64", "float32, uint32"],
    ),
    (
        "convert --from fp16 --to e5m2 f32.npy -o o.npy",
        &["f32.npy", "dtype float32", "float16, uint16"],
    ),
    (
        "convert --from e4m3fn --to e5m2 f32.npy -o o.npy",
        &["f32.npy", "dtype float32", "uint8"],
    ),
    (
        "convert --from fp8 --to e5m2 f32.npy -o o.npy",
        &["format 'fp8'", "e4m3fn"],
    ),
    (
        "convert --from fp32 --to fp8 f32.npy -o o.npy",
        &["format 'fp8'", "e4m3fn"],
    ),
    (
        "convert --from e2m1fn --to fp32 codes.npy -o o.npy",
        &["codes.npy", "code 255", "e2m1fn: 0 to 15"],
    ),
    (
        "convert --from tf32 --to fp32 u32.npy -o o.npy",
        &["u32.npy", "code 4294967295", "tf32: 0 to 524287"],
    ),
    (
        "convert --from int4 --to fp32 int8.npy -o o.npy",
        &["int8.npy", "code 8", "int4: -8 to 7"],
    ),
    (
        "convert --from fp32 --to e4m3fn f32.npy -o o.npy --overflow inf",
        &["overflow = inf", "e4m3fn allows saturate, nan"],
    ),
    (
        "convert --from fp32 --to e4m3fn --policy ipu f32.npy -o o.npy",
        &["format of policy ipu = e4m3fn", "e4m3fnuz, e5m2fnuz"],
    ),
    (
        "convert --from fp32 --to f143*2^32 f32.npy -o o.npy",
        &["scale of e4m3fnuz", "2^-32 to 2^31"],
    ),
    (
        "convert --from fp32 --to e4m3fn --nan opposite-zero f32.npy -o o.npy",
        &["nan = opposite-zero", "canonical, sign, ones"],
    ),
    (
        "convert --from fp32 --to e4m3fn --scale one f32.npy -o o.npy",
        &["--scale one", "a number"],
    ),
    (
        "convert --from fp32 --to e4m3fn --random-bits 33 f32.npy -o o.npy",
        &["stochastic.bits = 33", "1 to 32"],
    ),
    (
        "convert --from fp32 --to e5m2 f32.npy -o o.npy --rounding sr",
        &["--rounding sr", "--random", "--seed"],
    ),
    (
        "convert --from fp32 --to e5m2 f32.npy -o o.npy --seed 1",
        &["--seed with rne", "sr"],
    ),
    (
        "convert --from fp32 --to e5m2 f32.npy -o o.npy --rounding sr --random u32.npy",
        &["u32.npy", "shape [1]", "[2, 3]"],
    ),
    (
        "convert --from fp32 --to e5m2 f32.npy -o o.npy --rounding sr --random f32.npy",
        &["f32.npy", "dtype float32", "uint32"],
    ),
    (
        "convert --from fp32 --to e5m2 f32.npy -o none/o.npy",
        &["none/o.npy", "No such file"],
    ),
    (
        "convert --from fp32 --to e5m2 f32.npy -o .",
        &["cannot write .", "directory"],
    ),
    (
        "convert --from fp32 --to e5m2 f32.npy -o f32.npy/o.npy",
        &["f32.npy/o.npy", "Not a directory"],
    ),
    // An output that cannot be written is found before the input is looked at.
    (
        "convert --from fp32 --to e5m2 none.npy -o none/o.npy",
        &["cannot write none/o.npy"],
    ),
];

/// Jobs; what a case leaves out of formats and output is filled in.
pub(super) const GEMM: &[Case] = &[
    (
        "--a rank3.npy --b b.npy",
        &["rank3.npy", "shape [2, 3, 1]", "rank 2", "M x K"],
    ),
    (
        "--a a.npy --b vector.npy",
        &["vector.npy", "shape [3]", "rank 2", "K x N"],
    ),
    ("--a a.npy --b a.npy", &["a.npy", "shape [2, 3]", "3 rows"]),
    (
        "--a f32.npy --b b.npy",
        &["f32.npy", "dtype float32", "uint8"],
    ),
    ("--a none.npy --b b.npy", &["none.npy", "No such file"]),
    (
        "--a a.npy --b b.npy --format-a fp16",
        &["--format-a fp16", "8 bits"],
    ),
    (
        "--a a.npy --b b.npy --format-b e8m0fnu",
        &["--format-b e8m0fnu", "signed"],
    ),
    (
        "--a a.npy --b b.npy --format-b fp9",
        &["format 'fp9'", "e4m3fn"],
    ),
    (
        "--a a.npy --b codes.npy --format-b e2m1fn",
        &["codes.npy", "code 255", "0 to 15"],
    ),
    (
        "--a a.npy --b b.npy --init b.npy",
        &["b.npy", "dtype uint8", "float32, uint32"],
    ),
    (
        "--a a.npy --b b.npy --init f32.npy",
        &["f32.npy", "shape [2, 3]", "[2, 2]"],
    ),
    (
        "--a a.npy --b b.npy --bias u32.npy",
        &["u32.npy", "shape [1]", "[2]"],
    ),
    (
        "--a a.npy --b b.npy --bias f32.npy",
        &["f32.npy", "shape [2, 3]", "rank 1"],
    ),
    (
        "--a a.npy --b b.npy --scale-a big",
        &["--scale-a big", "number", ".npy"],
    ),
    (
        "--a a.npy --b b.npy --scale-a f32.npy",
        &["f32.npy", "shape [2, 3]", "one element"],
    ),
    (
        "--a a.npy --b b.npy --scale-b u32.npy",
        &["u32.npy", "shape [1]", "[2]"],
    ),
    (
        "--a a.npy --b b.npy --scale-b none.npy",
        &["none.npy", "No such file"],
    ),
    ("--a a.npy --b b.npy --out fp8", &["format 'fp8'", "e4m3fn"]),
    (
        "--a a.npy --b b.npy --out e4m3fn --overflow inf",
        &["overflow = inf", "e4m3fn"],
    ),
    (
        "--a a.npy --b b.npy --rounding sr",
        &["--rounding sr", "random bits"],
    ),
    (
        "--a a.npy --b b.npy --accumulator fp64",
        &["'fp64'", "fp32"],
    ),
    (
        "--a a.npy --b b.npy --profile cray",
        &["profile 'cray'", "h100"],
    ),
    (
        "--a a.npy --b b.npy --profile ipu",
        &["profile = ipu", "not public"],
    ),
    (
        "--a a.npy --b b.npy --config huge",
        &["configuration 'huge'", "default"],
    ),
    (
        "--a a.npy --b b.npy --config rows.toml",
        &["mine.rows = 0", "1 to 128"],
    ),
    (
        "--a a.npy --b b.npy --config missing.toml",
        &["missing.toml", "tile_rows"],
    ),
    (
        "--a a.npy --b b.npy --config unknown.toml",
        &["unknown.toml", "colour"],
    ),
    (
        "--a a.npy --b b.npy --stalls often",
        &["--stalls often", "none", "seed"],
    ),
    (
        "--a a.npy --b b.npy --stalls 1",
        &["--stalls", "golden", "cycle, rtl"],
    ),
    (
        "--a a.npy --b b.npy --vcd x.vcd",
        &["--vcd", "golden", "engines that can: rtl"],
    ),
    (
        "--a a.npy --b b.npy -o none/d.npy",
        &["none/d.npy", "No such file"],
    ),
];

/// Designs.
pub(super) const GENERATE: &[Case] = &[
    ("generate -o core", &["--config"]),
    (
        "generate --config huge -o core",
        &["configuration 'huge'", "default"],
    ),
    (
        "generate --config rows.toml -o core",
        &["mine.rows = 0", "1 to 128"],
    ),
    ("generate --config single -o a.npy", &["cannot write a.npy"]),
    (
        "generate --config single -o a.npy/core",
        &["cannot write a.npy"],
    ),
    (
        "generate --config single -o /proc/core",
        &["cannot write /proc"],
    ),
    (
        "generate --config single -o blocked",
        &["cannot write blocked/rtl"],
    ),
];

/// Verification.
pub(super) const VERIFY: &[Case] = &[
    (
        "verify everything",
        &["suite 'everything'", "decode", "gemm"],
    ),
    (
        "verify --tier slow",
        &["'slow'", "quick", "exhaustive", "extensive"],
    ),
    (
        "verify --simulator spice",
        &["'spice'", "verilator", "icarus"],
    ),
    ("verify --seed x", &["'x'", "--seed"]),
    ("verify --config huge", &["configuration 'huge'", "default"]),
    ("verify --config rows.toml", &["mine.rows = 0", "1 to 128"]),
    (
        "verify relu --junit none/x.xml",
        &["none/x.xml", "No such file"],
    ),
    ("verify relu --waves a.npy", &["cannot write a.npy"]),
];
