//! Every kind of bad input: exit status 2, one line that names it, and no file left.

mod cases;

use crate::support::{Sandbox, npy_header};
use cases::{BLOCKS, CONVERT, FORMATS, GEMM, GENERATE, MODEL, SIMULATE, USAGE, VERIFY};

fn malformed() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let header = |text: &str| npy_header(text);
    let shaped = |shape: &str| {
        header(&format!(
            "{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
        ))
    };
    let mut cut = shaped("(2, 2)");
    cut.extend([0; 15]);
    let mut long = shaped("(2, 2)");
    long.extend([0; 17]);
    vec![
        ("empty", Vec::new(), "truncated"),
        (
            "text",
            b"this is no array at all".to_vec(),
            "not an npy file",
        ),
        (
            "half a header",
            shaped("(2, 2)")[..40].to_vec(),
            "truncated",
        ),
        ("cut data", cut, "holds 15 of the 16 data bytes"),
        ("long data", long, "after the 16 data bytes"),
        (
            "huge shape",
            shaped("(1000000000000,)"),
            "holds 0 of the 4000000000000",
        ),
        (
            "endless shape",
            shaped("(4611686018427387904, 8)"),
            "does not fit",
        ),
        (
            "empty endless shape",
            shaped("(0, 4611686018427387904, 8)"),
            "overflow",
        ),
        ("negative shape", shaped("(-1,)"), "shape"),
        ("number as shape", shaped("4"), "shape"),
        (
            "many axes",
            shaped(&format!("({})", "1,".repeat(100))),
            "rank 100",
        ),
        (
            "missing key",
            header("{'descr': '<f4', 'fortran_order': False}"),
            "shape",
        ),
        (
            "unknown key",
            header("{'descr': '<f4', 'colour': 1}"),
            "colour",
        ),
        ("no dictionary", header("import os"), "literal"),
        ("nesting", header(&"(".repeat(9000)), "nests deeper"),
        (
            "records",
            header("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,)}"),
            "dtype",
        ),
        (
            "version",
            b"\x93NUMPY\x09\x00\x10\x00\x00\x00".to_vec(),
            "truncated",
        ),
        (
            "endless header",
            b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(),
            "header length",
        ),
    ]
}

const CONFIG: &str = "description = \"\"\ncols = 1\npe_latency = 1\n\
    dataflow = \"weight_stationary\"\naccumulator = \"fp32\"\nblock_scales = \"none\"\n\
    operand_formats = [\"e4m3fn\"]\n\
    output_formats = [\"fp32\"]\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.save("a.npy", &[2, 3], vec![0x38_u8; 6]);
    sandbox.save("b.npy", &[3, 2], vec![0x38_u8; 6]);
    sandbox.save("codes.npy", &[3, 1], vec![0_u8, 255, 1]);
    sandbox.save("vector.npy", &[3], vec![0_u8; 3]);
    sandbox.save("rank3.npy", &[2, 3, 1], vec![0_u8; 6]);
    sandbox.save("int8.npy", &[2], vec![-8_i8, 8]);
    sandbox.save("f32.npy", &[2, 3], vec![1.0_f32; 6]);
    sandbox.save("f64.npy", &[2], vec![1.0_f64; 2]);
    sandbox.save("u32.npy", &[1], vec![u32::MAX]);
    sandbox.write(
        "key.toml",
        "[[format]]\nname = \"mine\"\nencoding = \"float\"\n\
        exponent_bits = 3\nfraction_bits = 2\nbias = 3\nspecials = \"none\"\n",
    );
    std::fs::create_dir(sandbox.path("blocked")).unwrap();
    sandbox.write("cut.onnx", b"\x3a\x05\x12\x01a");
    // A graph with a tensor of FLOAT [1] in the file none.bin.
    sandbox.write(
        "beside.onnx",
        b"\x3a\x1e\x2a\x1c\x08\x01\x10\x01\x70\x01\x6a\x14\x0a\x08location\x12\x08none.bin",
    );
    sandbox.write("blocked/rtl", "a file where a folder should be");
    sandbox.write(
        "rows.toml",
        format!("[mine]\nrows = 0\ntile_rows = 1\n{CONFIG}"),
    );
    sandbox.write("missing.toml", format!("[mine]\nrows = 1\n{CONFIG}"));
    sandbox.write(
        "unknown.toml",
        format!("[mine]\nrows = 1\ntile_rows = 1\ncolour = 1\n{CONFIG}"),
    );
    sandbox
}

fn refused(sandbox: &Sandbox, arguments: &str, named: &[&str]) {
    let before = sandbox.files();
    let outcome = sandbox.line(arguments);
    let stderr = outcome.stderr;
    assert_eq!(outcome.code, Some(2), "{arguments}: {stderr}");
    assert_eq!(outcome.stdout, "", "{arguments}");
    assert!(
        stderr.starts_with("quaver: error: "),
        "{arguments}: {stderr}"
    );
    assert_eq!(stderr.lines().count(), 1, "{arguments}: {stderr}");
    assert!(!named.is_empty());
    for name in named {
        assert!(stderr.contains(name), "{arguments}: no {name} in: {stderr}");
    }
    assert_eq!(sandbox.files(), before, "{arguments}");
}

#[test]
fn bad_arguments_and_files_are_named() {
    let sandbox = sandbox();
    let mut cases = 0;
    for (arguments, named) in [
        USAGE, FORMATS, BLOCKS, SIMULATE, MODEL, CONVERT, GENERATE, VERIFY,
    ]
    .into_iter()
    .flatten()
    {
        refused(&sandbox, arguments, named);
        cases += 1;
    }
    for (arguments, named) in GEMM {
        let mut line = format!("gemm --engine golden {arguments}");
        for (option, default) in [
            ("--format-a", "e4m3fn"),
            ("--format-b", "e4m3fn"),
            ("-o", "d.npy"),
        ] {
            if !arguments.split(' ').any(|word| word == option) {
                line.push_str(&format!(" {option} {default}"));
            }
        }
        refused(&sandbox, &line, named);
        cases += 1;
    }
    assert!(cases > 0);
}

#[test]
fn malformed_arrays_are_named() {
    let sandbox = sandbox();
    let malformed = malformed();
    assert!(!malformed.is_empty());
    for (what, bytes, named) in malformed {
        sandbox.write("bad.npy", bytes);
        let arguments = "convert --from fp32 --to e5m2 bad.npy -o o.npy";
        refused(&sandbox, arguments, &["bad.npy", named]);
        let arguments = "gemm --engine golden --a a.npy --b b.npy --format-a e5m2 --format-b e5m2 \
            --init bad.npy -o o.npy";
        refused(&sandbox, arguments, &["bad.npy", named]);
        println!("{what}");
    }
}
