// An E4M3 code (OCP FP8 1.0) as FP32. Exact, combinational.
//
//   code_i    the code
//   value_o   FP32; nan is 7FC00000
`default_nettype none

module quaver_fp8_to_fp32 (
    input  wire [7:0]    code_i,
    output wire [31:0]   value_o
);
    wire       nan, inf, sign;
    wire [4:0] exponent;
    wire [3:0] significand;

    // The defaults of quaver_decode are this format's, subnormals normalised.
    quaver_decode u_decode (
        .code_i    (code_i),
        .operand_o ({nan, inf, sign, exponent, significand})
    );

    assign value_o = nan             ? 32'h7FC0_0000 :
                     !significand[3] ? {sign, 31'd0} :
                     {sign, 8'd127 + {{3{exponent[4]}}, exponent}, significand[2:0], 20'd0};

    wire unused = &{1'b0, inf};
endmodule

`default_nettype wire
